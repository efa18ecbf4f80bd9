/*
 * What torch.load(weights_only=True) would refuse in a checkpoint: all of it, not only the first.
 */
#ifndef PTIO_TORCH_WEIGHTS_ONLY_H
#define PTIO_TORCH_WEIGHTS_ONLY_H

#include "torch/meaning.h"
#include "torch/safe_globals.h"

/** Whether it loads. What it refuses goes to `report` (PTIO_REFUSED, reasons "weights-only.…"), the first of it into `err`; both may be NULL. */
bool ptio_weights_only_loads(const ptio_checkpoint *ckpt, const ptio_safe_rules *rules, ptio_report *report, ptio_error *err);

/** Whether its unpickler knows an opcode. */
bool ptio_weights_only_opcode(uint8_t opcode);

#endif
