"""Training with mmengine's Runner: the loop, checkpoints, schedules, several processes, workers."""
