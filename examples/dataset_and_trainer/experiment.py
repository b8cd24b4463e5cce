"""An experiment with these plugins: ``camforge run experiment.py``. CamForge knows nothing of them."""

name = "dials"
dataset = dict(name="dials", train=64, val=16)
images = dict(size=48, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
trainer = dict(name="smoothed", backbone=dict(name="small"), epochs=1, batch_size=16, lr=0.01)
metrics = ["miou"]
arms = dict(gradcam=dict(extractor="gradcam"), layercam=dict(extractor="layercam"))
