/*
 * What torch.load(weights_only=True) of PyTorch 2.13 would refuse in a checkpoint: all of it, not only the first.
 */
#ifndef PTIO_TORCH_WEIGHTS_ONLY_H
#define PTIO_TORCH_WEIGHTS_ONLY_H

#include "torch/meaning.h"

/** Whether it loads. What it refuses goes to `report` (PTIO_REFUSED, reasons "weights-only.…"), the first of it into `err`; both may be NULL. */
bool ptio_weights_only_loads(const ptio_checkpoint *ckpt, ptio_report *report, ptio_error *err);

#endif
