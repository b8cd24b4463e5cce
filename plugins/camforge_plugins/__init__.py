"""The built-in plugins of CamForge, one file each."""
