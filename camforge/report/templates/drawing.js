// Drawing on canvases: photograph, heat, outlines, boxes.
const HEAT_OPACITY = 0.6; // the same look as camforge.pictures.overlay

function sizeCanvas(canvas, width, height, scale) {
  if (canvas.width !== width * scale || canvas.height !== height * scale) {
    canvas.width = width * scale;
    canvas.height = height * scale;
  }
  const context = canvas.getContext('2d');
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return context;
}

function heatLayer(heat, width, height, palette) {
  const layer = new OffscreenCanvas(width, height), context = layer.getContext('2d');
  const pixels = context.createImageData(width, height);
  for (let i = 0; i < heat.length; i++) {
    for (let channel = 0; channel < 3; channel++) pixels.data[4 * i + channel] = palette[3 * heat[i] + channel];
    pixels.data[4 * i + 3] = HEAT_OPACITY * Math.min(255, 2 * heat[i]);
  }
  context.putImageData(pixels, 0, 0);
  return layer;
}

// The border between pixels that are `inside` and those that are not.
function outline(inside, width, height) {
  const path = new Path2D();
  const at = (x, y) => x >= 0 && y >= 0 && x < width && y < height && inside(y * width + x);
  for (let y = 0; y <= height; y++) {
    for (let x = 0; x <= width; x++) {
      const here = at(x, y);
      if (here !== at(x - 1, y)) { path.moveTo(x, y); path.lineTo(x, y + 1); }
      if (here !== at(x, y - 1)) { path.moveTo(x, y); path.lineTo(x + 1, y); }
    }
  }
  return path;
}

function frame(box) {
  const path = new Path2D();
  path.rect(box[0], box[1], box[2] - box[0], box[3] - box[1]);
  return path;
}

// A line that is seen on any photograph: colour on a dark halo.
function trace(context, path, colour, dash = []) {
  const unit = 1 / context.getTransform().a;
  context.setLineDash([]);
  context.strokeStyle = 'rgb(0 0 0 / 55%)';
  context.lineWidth = 4.5 * unit;
  context.stroke(path);
  context.setLineDash(dash.map(length => length * unit));
  context.strokeStyle = colour;
  context.lineWidth = 2 * unit;
  context.stroke(path);
}
