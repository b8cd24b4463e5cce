"""An experiment with these plugins: ``camforge run experiment.py``. CamForge knows nothing of them."""

name = "shapes"
dataset = dict(name="partworld", train=64, val=12)
images = dict(size=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
trainer = dict(name="single", backbone=dict(name="small"), epochs=1, batch_size=16, lr=0.01)
metrics = ["miou", "peak_share", "roughness", "spread"]
arms = dict(gradcam=dict(extractor="gradcam"), eigencam=dict(extractor="eigencam"))
