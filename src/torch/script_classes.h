/*
 * The classes of a TorchScript archive, as far as their sources tell what an attribute is: a parameter, a buffer, or any other.
 *
 *     code/__torch__/scripted.py      class Small(Module):
 *                                       __parameters__ = []
 *                                       __buffers__ = ["scale", ]
 *
 * The sources are read as text; nothing in them is compiled or run.
 */
#ifndef PTIO_TORCH_SCRIPT_CLASSES_H
#define PTIO_TORCH_SCRIPT_CLASSES_H

#include "torch/make.h"

typedef struct ptio_script_class {
    ptio_text full_name;                        /* "__torch__.scripted.Small"; of a file "__torch__.scripted"    */
    bool is_module;                             /* derived from Module                                          */
    bool is_file;                               /* no class: the file of classes, which was read                */
    const ptio_node_dict *parameters, *buffers; /* names; NULL: the source does not say                         */
} ptio_script_class;

/** Ready when zeroed, but for `loader`. */
typedef struct ptio_script_classes {
    ptio_loader *loader;
    ptio_script_class *rows;
    size_t count, capacity;
    uint32_t *slots; /* hash table: row + 1, 0 empty */
    size_t slot_count;
    uint64_t hash_key;
} ptio_script_classes;

/** What the source tells of the class that a global is. *ret is NULL where it is none of the archive's. */
ptio_status ptio_script_class_find(ptio_script_classes *classes, const ptio_global *global, const ptio_script_class **ret,
                                   ptio_error *err);

void ptio_script_classes_free(ptio_script_classes *classes);

#endif
