"""An experiment with these plugins: ``camforge run experiment.py``. CamForge knows nothing of them."""

name = "stripes"
dataset = dict(name="partworld", train=64, val=24)
images = dict(size=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
trainer = dict(name="single", backbone=dict(name="small"), epochs=1, batch_size=16, lr=0.01)
fusers = [dict(name="softmax_mean", axis="layer")]
metrics = ["miou", "agreement"]
arms = dict(
    gradcam=dict(extractor=dict(name="gradcam", layers="stages")),
    positive=dict(extractor=dict(name="positive_cam", layers="stages", power=2.0)),
)
