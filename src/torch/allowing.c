/*
 * The Python that allows what weights_only refuses: one line of imports, one of add_safe_globals(), for a reader to copy.
 *
 *     import argparse, numpy._core.multiarray
 *     torch.serialization.add_safe_globals([argparse.Namespace, (numpy._core.multiarray.scalar, "numpy.core.multiarray.scalar")])
 *
 * add_safe_globals() goes by what an object calls itself (__module__ and __qualname__). Some are called otherwise in files; those are
 * given as a pair with the name in the file.
 */
#include <stdint.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "torch/weights_only.h"

typedef struct writer {
    ptio_write write;
    void *ctx;
    ptio_error *err;
    bool failed;
} writer;

static void put(writer *w, ptio_text text)
{
    if (w->failed || !text.size)
        return;
    w->failed = w->write(w->ctx, text.bytes, text.size) != 0;
    if (w->failed)
        (void)ptio_fail(w->err, PTIO_ERR_CANCELLED, "cancelled", PTIO_NO_OFFSET, "the writer has stopped");
}

/* ---- names ---- */

/* Where an object is to be found, and whether files call it otherwise. */
typedef struct place {
    ptio_text module, name;
    bool pair;
} place;

static const struct {
    const char *module, *new_module;
} moved[] = {{"numpy.core.multiarray", "numpy._core.multiarray"},
             {"numpy.core.numeric", "numpy._core.numeric"},
             {"numpy.ma.core", "numpy.ma"},
             {"torch.nn.quantized.dynamic.modules.linear", "torch.ao.nn.quantized.dynamic.modules.linear"},
             {"torch.nn.quantized.modules.linear", "torch.ao.nn.quantized.modules.linear"}};

/* Objects without a __module__, and such that call themselves otherwise, at their place. */
static bool is_nameless(ptio_text module, ptio_text name)
{
    static const char *const names[][2] = {{"builtins", "Ellipsis"},       {"builtins", "NotImplemented"},
                                           {"torch", "contiguous_format"}, {"torch", "channels_last"},
                                           {"torch", "channels_last_3d"},  {"torch", "preserve_format"},
                                           {"torch", "bcomplex32"},        {"torch._utils", "_rebuild_xla_tensor"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (ptio_text_is(module, names[i][0]) && ptio_text_is(name, names[i][1]))
            return true;
    return ptio_text_is(name, "torch") &&
           ptio_text_starts(module, "torch"); /* the module, as a name in another: getattr(…, "channels_last") */
}

static place find_place(const ptio_finding *finding)
{
    place p = {finding->module, finding->name, is_nameless(finding->module, finding->name)};
    for (size_t i = 0; i < sizeof moved / sizeof *moved; i++) {
        if (!ptio_text_is(p.module, moved[i].module))
            continue;
        p.pair = true;
        /* ma.core is a module still; only what it holds calls itself otherwise. */
        if (!ptio_text_is(p.module, "numpy.ma.core") || ptio_text_is(p.name, "MaskedArray"))
            p.module = ptio_text_of(moved[i].new_module);
        else
            p.pair = false;
    }
    return p;
}

/* Dotted identifiers of ASCII: others could look like what they are not. */
static bool is_python_name(ptio_text name)
{
    bool first = true;
    for (size_t i = 0; i < name.size; i++) {
        unsigned char c = (unsigned char)name.bytes[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        bool digit = c >= '0' && c <= '9';
        if (!letter && !(digit && !first) && !(c == '.' && !first))
            return false;
        first = c == '.';
    }
    return !first;
}

/* ---- which of the findings ---- */

static bool wants_allowing(const ptio_finding *finding)
{
    return finding->severity == PTIO_REFUSED && finding->name.size && is_python_name(finding->module) &&
           is_python_name(finding->name);
}

static bool wants_import(const ptio_finding *finding)
{
    return finding->severity == PTIO_NOTE && finding->name.size && is_python_name(finding->module);
}

/* Pairs of texts, each once. */
typedef struct pair {
    ptio_text module, name;
} pair;

typedef struct pair_set {
    uint64_t hash_key;
    size_t count, slot_count; /* a power of two */
    pair *pairs;
    uint32_t *slots; /* index + 1 */
} pair_set;

static bool new_set(pair_set *set, ptio_arena *arena, size_t most)
{
    *set = (pair_set){.hash_key = ptio_os_random(), .slot_count = 16};
    while (set->slot_count < most * 2)
        set->slot_count *= 2;
    set->pairs = PTIO_NEW(arena, pair, most + 1);
    set->slots = PTIO_NEW(arena, uint32_t, set->slot_count);
    return set->pairs && set->slots;
}

/* Whether it was not there before. */
static bool add_pair(pair_set *set, ptio_text module, ptio_text name)
{
    uint64_t hash = ptio_hash(ptio_hash(set->hash_key, module.bytes, module.size), name.bytes, name.size);
    size_t at = (size_t)hash & (set->slot_count - 1);
    for (; set->slots[at]; at = (at + 1) & (set->slot_count - 1)) {
        const pair *other = &set->pairs[set->slots[at] - 1];
        if (ptio_text_equal(other->module, module) && ptio_text_equal(other->name, name))
            return false;
    }
    set->pairs[set->count] = (pair){module, name};
    set->slots[at] = (uint32_t)++set->count;
    return true;
}

static size_t count_wanted(const ptio_report *report)
{
    size_t count = 0;
    for (size_t i = 0; i < ptio_report_count(report); i++) {
        const ptio_finding *finding = ptio_report_finding(report, i);
        count += wants_allowing(finding) || wants_import(finding);
    }
    return count;
}

/* ---- writing ---- */

static ptio_text module_of(const ptio_finding *finding)
{
    return finding->severity == PTIO_NOTE ? ptio_text_of(ptio_safe_import(finding->module)) : find_place(finding).module;
}

static void write_imports(writer *w, const ptio_report *report, pair_set *modules)
{
    for (size_t i = 0; i < ptio_report_count(report); i++) {
        const ptio_finding *finding = ptio_report_finding(report, i);
        if (!wants_allowing(finding) && !wants_import(finding))
            continue;
        ptio_text module = module_of(finding);
        if (ptio_text_is(module, "builtins") || ptio_text_is(module, "torch") || !add_pair(modules, module, (ptio_text){"", 0}))
            continue;
        put(w, modules->count > 1 ? PTIO_TEXT(", ") : PTIO_TEXT("import "));
        put(w, module);
    }
    if (modules->count)
        put(w, PTIO_TEXT("\n"));
}

static void write_object(writer *w, ptio_text module, ptio_text name)
{
    if (!ptio_text_is(module, "builtins")) {
        put(w, module);
        put(w, PTIO_TEXT("."));
    }
    put(w, name);
}

static void write_item(writer *w, const ptio_finding *finding)
{
    place p = find_place(finding);
    if (p.pair)
        put(w, PTIO_TEXT("("));
    write_object(w, p.module, p.name);
    if (!p.pair)
        return;
    put(w, PTIO_TEXT(", \""));
    put(w, finding->module);
    put(w, PTIO_TEXT("."));
    put(w, finding->name);
    put(w, PTIO_TEXT("\")"));
}

static void write_items(writer *w, const ptio_report *report, pair_set *globals)
{
    for (size_t i = 0; i < ptio_report_count(report); i++) {
        const ptio_finding *finding = ptio_report_finding(report, i);
        if (!wants_allowing(finding) || !add_pair(globals, finding->module, finding->name))
            continue;
        put(w, globals->count > 1 ? PTIO_TEXT(", ") : PTIO_TEXT("torch.serialization.add_safe_globals(["));
        write_item(w, finding);
    }
    if (globals->count)
        put(w, PTIO_TEXT("])\n"));
}

ptio_status ptio_print_allowing(const ptio_report *report, ptio_write write, void *ctx, ptio_error *err)
{
    size_t most = count_wanted(report);
    if (!most)
        return PTIO_OK;
    ptio_heap heap = ptio_report_heap(report);
    ptio_arena arena;
    ptio_arena_init(&arena, &heap);
    pair_set modules, globals;
    writer w = {.write = write, .ctx = ctx, .err = err};
    bool ready = new_set(&modules, &arena, most) && new_set(&globals, &arena, most);
    if (ready) {
        write_imports(&w, report, &modules);
        write_items(&w, report, &globals);
    }
    ptio_arena_free(&arena);
    return !ready ? ptio_fail_memory(err, "a list of globals") : w.failed ? PTIO_ERR_CANCELLED : PTIO_OK;
}
