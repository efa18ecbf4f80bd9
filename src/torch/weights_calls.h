/*
 * What Python makes of the arguments and states that a file gives to the callables of weights_only's list: whether the call, or the BUILD,
 * would fail. PyTorch finds that out by calling them.
 */
#ifndef PTIO_TORCH_WEIGHTS_CALLS_H
#define PTIO_TORCH_WEIGHTS_CALLS_H

#include "torch/handlers.h"

/** Why the call that made a value fails, as a sentence; NULL: it does not. `handler` is that of a callable in the default list. */
const char *ptio_weights_call_fault(const ptio_value *value, uint8_t handler);

/** The same of a BUILD with this state. */
const char *ptio_weights_build_fault(const ptio_value *value, uint8_t handler, const ptio_value *state);

/** Whether a value cannot be hashed, so that it is no key and no item of a set: lists, dicts, sets and their like, made by calls too. */
bool ptio_weights_unhashable(const ptio_value *value);

#endif
