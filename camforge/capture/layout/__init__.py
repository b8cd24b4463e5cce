"""Where the feature map lies in what a layer returns, proved by an intervention; and the layers that have one."""
