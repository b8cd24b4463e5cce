"""What metrics share: pairs, regions, masks, boxes, changed photographs."""
