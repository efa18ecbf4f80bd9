/*
 * Which globals weights_only allows: PyTorch's own list, which grows from release to release, and what the caller adds to it.
 */
#ifndef PTIO_TORCH_SAFE_GLOBALS_H
#define PTIO_TORCH_SAFE_GLOBALS_H

#include "torch/globals.h"

/** Releases whose verdict is known, in order. What lies between two of them goes by neither. */
typedef enum ptio_rules { PTIO_RULES_2_6, PTIO_RULES_2_9, PTIO_RULES_2_13, PTIO_RULES_2_14 } ptio_rules;

/** The rules of one load. */
typedef struct ptio_safe_rules {
    ptio_rules release;
    const ptio_safe_global *allow; /* the caller's */
    size_t allow_count;
    bool utf8; /* byte strings of Python 2 must be UTF-8: no encoding was asked for */
} ptio_safe_rules;

/** What weights_only makes of a global. */
typedef enum ptio_safety {
    PTIO_SAFE,           /* by default                                                                     */
    PTIO_SAFE_BY_LIST,   /* by add_safe_globals(), the caller's or PyTorch's own: a class may be built, too */
    PTIO_SAFE_IMPORTED,  /* the same, as soon as the module that calls it has been imported                 */
    PTIO_UNSAFE,         /* until it is allowed                                                            */
    PTIO_UNSAFE_BLOCKED, /* whatever is allowed                                                            */
} ptio_safety;

/** The rules that the options ask for. PTIO_ERR_ARGUMENT: a release that is not known, or an item without a name. */
ptio_status ptio_safe_rules_init(const ptio_load_options *options, ptio_safe_rules *ret, ptio_error *err);

/** What weights_only calls a global: it knows fewer names of Python 2 than other unpicklers, and maps them at any protocol. */
void ptio_safe_name(const ptio_safe_rules *rules, ptio_text *module, ptio_text *name);

/** What becomes of a global of that name. *handler (a ptio_handler) is that of the object which it stands for. */
ptio_safety ptio_safe_global_find(const ptio_safe_rules *rules, ptio_text module, ptio_text name, uint8_t *handler);

/** Whether "module.name" is safe to PyTorch, which looks for that, but divided elsewhere: `torch nn.parameter.Parameter`. */
bool ptio_safe_split_elsewhere(const ptio_safe_rules *rules, ptio_text module, ptio_text name);

/** Whether the caller's list has the global, blocked or not. */
bool ptio_safe_global_listed(const ptio_safe_rules *rules, ptio_text module, ptio_text name);

/** What a chain of getattr() reaches from a global: "zoneinfo.ZoneInfo._unpickle", whose module has `module` bytes and whose owner, all but
 *  the last name, `owner` bytes. */
typedef struct ptio_attribute {
    char text[512];
    size_t module, owner;
} ptio_attribute;

/** False where the value is no such chain, or a long one. */
bool ptio_attribute_find(const ptio_safe_rules *rules, const ptio_value *value, ptio_attribute *ret);

/** Whether the caller has allowed the class or method of this full name, whatever files call it. */
bool ptio_safe_class_listed(const ptio_safe_rules *rules, ptio_text full_name);

/** The module that has to be imported for a global that is PTIO_SAFE_IMPORTED. */
const char *ptio_safe_import(ptio_text module);

#endif
