/*
 * The result of load_state_dict(): lists of keys, and the text of the error that PyTorch would raise.
 */
#include <stdio.h>

#include "torch/state_dict.h"

ptio_state_result *ptio_state_result_new(const ptio_memory *memory)
{
    ptio_heap heap;
    ptio_heap_init(&heap, memory, 0);
    ptio_state_result *result = ptio_heap_resize(&heap, NULL, 0, sizeof *result);
    if (!result)
        return NULL;
    *result = (ptio_state_result){.heap = heap};
    ptio_arena_init(&result->arena, &result->heap);
    return result;
}

void ptio_incompatible_free(const ptio_incompatible *incompatible)
{
    if (!incompatible)
        return;
    ptio_state_result *result = (ptio_state_result *)(uintptr_t)incompatible;
    ptio_arena_free(&result->arena);
    ptio_heap heap = result->heap;
    ptio_heap_free(&heap, result, sizeof *result);
}

bool ptio_state_result_list(ptio_state_result *result, ptio_text_list *list, ptio_text text)
{
    if (list->count == list->capacity) {
        ptio_text *grown = ptio_arena_grow(&result->arena, list->texts, &list->capacity, list->count + 1, sizeof *grown);
        if (!grown)
            return false;
        list->texts = grown;
    }
    ptio_text kept = ptio_arena_text(&result->arena, text);
    list->texts[list->count++] = kept;
    return kept.bytes != NULL;
}

/* ---- texts ---- */

/* A text that grows in the arena. After a failure `bytes` is NULL. */
typedef struct writer {
    ptio_arena *arena;
    char *bytes;
    size_t size, capacity;
} writer;

static void begin(writer *w, ptio_state_result *result)
{
    *w = (writer){.arena = &result->arena};
    w->bytes = ptio_arena_grow(w->arena, NULL, &w->capacity, 64, 1);
}

static void put_n(writer *w, const char *bytes, size_t size)
{
    if (!w->bytes)
        return;
    if (size >= w->capacity - w->size) {
        size_t need;
        w->bytes = ptio_add_size(w->size, size + 1, &need) ? ptio_arena_grow(w->arena, w->bytes, &w->capacity, need, 1) : NULL;
        if (!w->bytes)
            return;
    }
    memcpy(w->bytes + w->size, bytes, size);
    w->size += size;
}

static void put(writer *w, const char *text)
{
    put_n(w, text, strlen(text));
}

static const char *end(writer *w)
{
    if (w->bytes)
        w->bytes[w->size] = '\0';
    return w->bytes;
}

/* What moves the cursor, colours, or turns the direction of writing around. */
static bool is_obeyed(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0x200E && code <= 0x200F) ||
           (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) || (code >= 0xD800 && code < 0xE000);
}

static void put_name(writer *w, ptio_text name)
{
    for (size_t at = 0; at < name.size;) {
        uint32_t code = (unsigned char)name.bytes[at];
        size_t size = ptio_utf8_decode(name.bytes + at, name.size - at, &code);
        if (size && !is_obeyed(code)) {
            put_n(w, name.bytes + at, size);
        } else {
            char escaped[12];
            (void)snprintf(escaped, sizeof escaped, code < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)code);
            put(w, escaped);
        }
        at += size ? size : 1;
    }
}

const char *ptio_state_result_name(ptio_state_result *result, ptio_text name)
{
    writer w;
    begin(&w, result);
    put_name(&w, name);
    return end(&w);
}

const char *ptio_state_result_size(ptio_state_result *result, size_t ndim, const int64_t *shape)
{
    writer w;
    begin(&w, result);
    put(&w, "torch.Size([");
    for (size_t i = 0; i < ndim; i++) {
        char number[24];
        (void)snprintf(number, sizeof number, "%s%lld", i ? ", " : "", (long long)shape[i]);
        put(&w, number);
    }
    put(&w, "])");
    return end(&w);
}

bool ptio_state_result_error(ptio_state_result *result, const char *const *pieces)
{
    writer w;
    begin(&w, result);
    for (; *pieces; pieces++)
        put(&w, *pieces);
    const char *text = end(&w);
    return text && ptio_state_result_list(result, &result->errors, (ptio_text){text, w.size});
}

/* ---- the whole ---- */

/* `more` lines stand before this one. */
static void put_keys(writer *w, const char *what, const ptio_text_list *keys, bool *more)
{
    if (!keys->count)
        return;
    put(w, *more ? "\n\t" : "");
    put(w, what);
    for (size_t i = 0; i < keys->count; i++) {
        put(w, i ? ", \"" : "\"");
        put_name(w, keys->texts[i]);
        put(w, "\"");
    }
    put(w, ". ");
    *more = true;
}

static const char *whole_text(ptio_state_result *result, const char *class_name, bool strict)
{
    writer w;
    bool more = false;
    begin(&w, result);
    put(&w, "Error(s) in loading state_dict for ");
    put(&w, class_name);
    put(&w, ":\n\t");
    if (strict) {
        put_keys(&w, "Missing key(s) in state_dict: ", &result->missing, &more);
        put_keys(&w, "Unexpected key(s) in state_dict: ", &result->unexpected, &more);
    }
    for (size_t i = 0; i < result->errors.count; i++) {
        put(&w, more ? "\n\t" : "");
        put_n(&w, result->errors.texts[i].bytes, result->errors.texts[i].size);
        more = true;
    }
    return more ? end(&w) : "";
}

bool ptio_state_result_finish(ptio_state_result *result, const char *class_name, bool strict)
{
    result->seen = (ptio_incompatible){.missing = result->missing.texts,
                                       .missing_count = result->missing.count,
                                       .unexpected = result->unexpected.texts,
                                       .unexpected_count = result->unexpected.count,
                                       .errors = result->errors.texts,
                                       .error_count = result->errors.count,
                                       .text = whole_text(result, class_name, strict)};
    return result->seen.text != NULL;
}
