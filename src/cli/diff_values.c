/*
 * Two values, walked together without recursion.
 *
 * Values are the same as Python's == has it: numbers by value, dicts by key in any order and whatever their class, tuples and sizes by
 * their items. Two NaNs are the same here. Objects of classes are the same by class, arguments, items and state.
 *
 * Containers may hold themselves, and each other: what was taken for the same once is not compared again. A forest of classes keeps that
 * (Hopcroft and Karp), so that the work is no more than the values of both files, however they are knotted.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/diff.h"
#include "cli/seen.h"

/** What an object has beside its items, in the order in which it is compared. */
enum { ATTRIBUTES, SLOTS, FACTORY, STATE, ARGUMENTS, KEYWORDS, EXTRAS };

/** Two containers whose contents are being compared: items of the first, what only the second has, then the extras. */
typedef struct level {
    const ptio_value *a, *b;
    const ptio_tensor *tensor_a, *tensor_b; /* composed ones: their parts */
    size_t next, count_a, count_b;
    size_t path; /* bytes of its name                     */
    bool hidden; /* _modules and the like have no name    */
} level;

typedef struct walk {
    differ *d;
    level *levels;
    size_t depth, capacity;
    seen known;     /* containers, and their place in the forest */
    size_t *parent; /* of each place; a root is its own           */
    size_t places, room;
} walk;

/* ---- what was taken for the same ---- */

static size_t find_root(const walk *w, size_t place)
{
    while (w->parent[place] != place) {
        w->parent[place] = w->parent[w->parent[place]];
        place = w->parent[place];
    }
    return place;
}

static bool find_place(walk *w, const ptio_value *value, size_t *ret)
{
    bool fresh;
    seen_entry *entry = seen_find(&w->known, value, &fresh);
    if (entry && !fresh) {
        *ret = find_root(w, (size_t)entry->number);
        return true;
    }
    if (entry && w->places == w->room) {
        size_t room = 2 * w->room + 256;
        size_t *parent = realloc(w->parent, room * sizeof *parent);
        w->parent = parent ? parent : w->parent;
        w->room = parent ? room : w->room;
    }
    if (!entry || w->places == w->room)
        return diff_no_memory(w->d);
    entry->number = *ret = w->places;
    w->parent[w->places] = w->places;
    w->places++;
    return true;
}

/* *again: the two are compared already, or being so. */
static bool unite(walk *w, const ptio_value *a, const ptio_value *b, bool *again)
{
    size_t x, y;
    if (!find_place(w, a, &x) || !find_place(w, b, &y))
        return false;
    *again = x == y;
    w->parent[x] = y;
    return true;
}

/* ---- names ---- */

static bool add_text(differ *d, ptio_text text)
{
    return grow_add(&d->path, text.bytes, text.size) || diff_no_memory(d);
}

static bool add_dot(differ *d)
{
    return !d->path.size || grow_string(&d->path, ".") || diff_no_memory(d);
}

static bool name_key(differ *d, const ptio_value *key)
{
    if (!add_dot(d))
        return false;
    if (ptio_value_kind(key) == PTIO_KIND_STR)
        return add_text(d, ptio_value_str(key));
    return ptio_print(key, NULL, grow_write, &d->path, NULL) == PTIO_OK || diff_no_memory(d);
}

static bool name_index(differ *d, size_t index)
{
    char number[32];
    (void)snprintf(number, sizeof number, "%zu", index);
    return add_dot(d) && (grow_string(&d->path, number) || diff_no_memory(d));
}

/* As the state_dict of a module has it: fc1.weight is what the object has at _modules.fc1._parameters.weight. */
static bool is_hidden(const level *l, const ptio_value *key)
{
    static const char *const names[] = {"_modules", "_parameters", "_buffers"};
    ptio_text text = ptio_value_str(key);
    for (size_t i = 0; l->hidden && i < sizeof names / sizeof *names; i++)
        if (text.size == strlen(names[i]) && memcmp(text.bytes, names[i], text.size) == 0)
            return true;
    return false;
}

/* ---- what is counted ---- */

/* Whether the options are about what is compared now. */
static bool is_chosen(differ *d, bool *failed)
{
    bool takes = select_takes(&d->selection, grow_text(&d->path), failed);
    if (*failed)
        diff_no_memory(d);
    return takes && !*failed;
}

static bool count_value(differ *d, const char *what, const ptio_value *a, const ptio_value *b, bool same, bool close)
{
    bool failed;
    if (!is_chosen(d, &failed))
        return !failed;
    d->values.equal += same;
    d->values.close += !same && close;
    d->values.different += !same && !close;
    if (!same && !close)
        diff_tell_values(d, what, a, b);
    return true;
}

static bool count_only(differ *d, int which, const ptio_value *value, const ptio_tensor *tensor)
{
    bool failed;
    if (!is_chosen(d, &failed))
        return !failed;
    ++*(which ? &d->only_b : &d->only_a);
    diff_tell_only(d, which, value, tensor);
    return true;
}

/* ---- leaves ---- */

static bool is_number(ptio_kind kind)
{
    return kind == PTIO_KIND_BOOL || kind == PTIO_KIND_INT || kind == PTIO_KIND_FLOAT;
}

static bool compare_numbers(differ *d, const ptio_value *a, const ptio_value *b)
{
    double x, y;
    bool floats = ptio_value_kind(a) == PTIO_KIND_FLOAT || ptio_value_kind(b) == PTIO_KIND_FLOAT;
    bool close = d->options->tolerant && floats && ptio_value_float(a, &x) && ptio_value_float(b, &y) && isfinite(x) &&
                 isfinite(y) && diff_is_close(d->options, fabs(x - y), fabs(y));
    return count_value(d, "value", a, b, diff_numbers_same(a, b), close);
}

static bool compare_leaves(differ *d, const ptio_value *a, const ptio_value *b)
{
    bool same;
    return diff_leaves_same(d, a, b, &same) && count_value(d, "value", a, b, same, false);
}

/* ---- tensors ---- */

static bool quantizers_same(const ptio_tensor *a, const ptio_tensor *b)
{
    ptio_quantizer x = ptio_tensor_quantizer(a), y = ptio_tensor_quantizer(b);
    return x.scheme == y.scheme && x.axis == y.axis && diff_parts_same(x.scale, y.scale) && x.zero_point == y.zero_point;
}

static bool shapes_same(const ptio_tensor *a, const ptio_tensor *b)
{
    size_t ndim = ptio_tensor_ndim(a);
    return ndim == ptio_tensor_ndim(b) &&
           (!ndim || memcmp(ptio_tensor_shape(a), ptio_tensor_shape(b), ndim * sizeof(int64_t)) == 0);
}

static const char *device_of(const ptio_tensor *tensor)
{
    return ptio_tensor_is_meta(tensor) ? "meta" : "cpu";
}

static const char *gradient_of(const ptio_tensor *tensor)
{
    return ptio_tensor_requires_grad(tensor) ? "True" : "False";
}

/* Tell what is told beside the elements. *comparable: those can still be compared. Gives whether nothing differs. */
static bool compare_heads(differ *d, const ptio_tensor *a, const ptio_tensor *b, bool *comparable)
{
    bool layouts = ptio_tensor_layout(a) == ptio_tensor_layout(b), shapes = shapes_same(a, b);
    bool devices = ptio_tensor_is_meta(a) == ptio_tensor_is_meta(b), dtypes = ptio_tensor_dtype(a) == ptio_tensor_dtype(b);
    bool gradients = ptio_tensor_requires_grad(a) == ptio_tensor_requires_grad(b);
    bool quantizers = !dtypes || quantizers_same(a, b);
    if (!layouts)
        diff_tell_words(d, "layout", ptio_layout_name(ptio_tensor_layout(a)), ptio_layout_name(ptio_tensor_layout(b)));
    if (!devices)
        diff_tell_words(d, "device", device_of(a), device_of(b));
    if (!dtypes)
        diff_tell_words(d, "dtype", ptio_dtype_name(ptio_tensor_dtype(a)), ptio_dtype_name(ptio_tensor_dtype(b)));
    if (!shapes)
        diff_tell_shapes(d, a, b);
    if (!quantizers)
        diff_tell_words(d, "quantizer", ptio_qscheme_name(ptio_tensor_quantizer(a).scheme),
                        ptio_qscheme_name(ptio_tensor_quantizer(b).scheme));
    if (!gradients)
        diff_tell_words(d, "requires_grad", gradient_of(a), gradient_of(b));
    *comparable = layouts && devices && shapes;
    return *comparable && dtypes && gradients && quantizers;
}

static bool push(walk *w, level added)
{
    if (w->depth == w->capacity) {
        size_t capacity = 2 * w->capacity + 32;
        level *levels = realloc(w->levels, capacity * sizeof *levels);
        if (!levels)
            return diff_no_memory(w->d);
        w->levels = levels;
        w->capacity = capacity;
    }
    added.path = w->d->path.size;
    w->levels[w->depth++] = added;
    return true;
}

static bool compare_tensors(walk *w, const ptio_tensor *a, const ptio_tensor *b)
{
    differ *d = w->d;
    bool failed, comparable;
    if (!is_chosen(d, &failed))
        return !failed;
    bool same = compare_heads(d, a, b, &comparable);
    diff_elements e = {.close = true};
    if (comparable && pieces_has_elements(a) && pieces_has_elements(b)) {
        if (!diff_elements_of(d, a, b, &e))
            return false;
        if (e.different && !(d->options->tolerant && e.close))
            diff_tell_elements(d, &e);
    }
    bool close = same && e.close && d->options->tolerant;
    d->tensors.equal += same && !e.different;
    d->tensors.close += same && e.different && close;
    d->tensors.different += !same || (e.different && !close);
    progress_clear(&d->progress);
    if (!comparable || (!ptio_tensor_part_count(a) && !ptio_tensor_part_count(b)))
        return true;
    return push(
        w, (level){.tensor_a = a, .tensor_b = b, .count_a = ptio_tensor_part_count(a), .count_b = ptio_tensor_part_count(b)});
}

static const ptio_tensor *part_named(const ptio_tensor *tensor, const char *name)
{
    for (size_t i = 0; i < ptio_tensor_part_count(tensor); i++) {
        const char *other;
        const ptio_tensor *part = ptio_tensor_part(tensor, i, &other);
        if (strcmp(other, name) == 0)
            return part;
    }
    return NULL;
}

static bool compare_part(walk *w, const level *l, size_t index)
{
    bool of_b = index >= l->count_a;
    const char *name;
    const ptio_tensor *part = ptio_tensor_part(of_b ? l->tensor_b : l->tensor_a, of_b ? index - l->count_a : index, &name);
    const ptio_tensor *other = part_named(of_b ? l->tensor_a : l->tensor_b, name);
    if (!add_dot(w->d) || !add_text(w->d, (ptio_text){name, strlen(name)}))
        return false;
    if (!other)
        return count_only(w->d, of_b, NULL, part);
    return of_b || compare_tensors(w, part, other);
}

/* ---- containers ---- */

static const ptio_value *extra_of(const ptio_value *value, size_t which)
{
    bool is_object = ptio_value_kind(value) == PTIO_KIND_OBJECT;
    size_t states = ptio_node_state_count(value);
    switch (which) {
    case ATTRIBUTES: return ptio_value_attributes(value);
    case SLOTS: return ptio_value_slots(value);
    case FACTORY: return ptio_value_factory(value);
    case STATE:
        return is_object && states && !ptio_value_attributes(value) && !ptio_value_slots(value)
                   ? ptio_node_state(value, states - 1)
                   : NULL;
    case ARGUMENTS: return is_object ? ptio_node_arguments(value) : NULL;
    default: return is_object ? ptio_node_keywords(value) : NULL;
    }
}

static bool has_contents(ptio_kind kind)
{
    return kind == PTIO_KIND_DICT || kind == PTIO_KIND_LIST || kind == PTIO_KIND_TUPLE || kind == PTIO_KIND_OBJECT ||
           kind == PTIO_KIND_GENERATOR;
}

static bool is_object_array(const ptio_value *value)
{
    ptio_ndarray_info info;
    return ptio_value_ndarray(value, &info) && info.is_object;
}

static bool compare_containers(walk *w, const ptio_value *a, const ptio_value *b, bool hidden)
{
    bool again = false;
    if (ptio_value_kind(a) == PTIO_KIND_OBJECT && !diff_texts_same(ptio_value_class(a), ptio_value_class(b)))
        return count_value(w->d, "class", a, b, false, false);
    if (ptio_value_count(a) || ptio_value_kind(a) == PTIO_KIND_OBJECT || ptio_value_count(b))
        if (!unite(w, a, b, &again))
            return false;
    return again ||
           push(w, (level){.a = a, .b = b, .count_a = ptio_value_count(a), .count_b = ptio_value_count(b), .hidden = hidden});
}

static bool compare(walk *w, const ptio_value *a, const ptio_value *b, bool hidden)
{
    const ptio_tensor *tensor_a = ptio_value_tensor(a), *tensor_b = ptio_value_tensor(b);
    if (tensor_a && tensor_b)
        return compare_tensors(w, tensor_a, tensor_b);
    if (is_number(ptio_value_kind(a)) && is_number(ptio_value_kind(b)))
        return compare_numbers(w->d, a, b);
    if (tensor_a || tensor_b || diff_kind(a) != diff_kind(b))
        return count_value(w->d, "type", a, b, false, false);
    if (has_contents(diff_kind(a)) || (is_object_array(a) && is_object_array(b)))
        return compare_containers(w, a, b, hidden);
    return compare_leaves(w->d, a, b);
}

/* ---- entries of dicts ---- */

/* Keys that Python finds by themselves only: parameters of an optimizer, objects. Those of two files are the same if they stand at the
 * same place and are of one class. */
static bool is_own_key(const ptio_value *key)
{
    ptio_kind kind = ptio_value_kind(key);
    return kind == PTIO_KIND_TENSOR || kind == PTIO_KIND_OBJECT || kind == PTIO_KIND_COMPLEX || kind == PTIO_KIND_NPSCALAR ||
           kind == PTIO_KIND_STORAGE || kind == PTIO_KIND_GENERATOR || kind == PTIO_KIND_NPDTYPE;
}

static bool keys_alike(const ptio_value *a, const ptio_value *b)
{
    return ptio_value_kind(a) == ptio_value_kind(b) && diff_texts_same(ptio_value_class(a), ptio_value_class(b)) &&
           diff_texts_same(ptio_value_name(a), ptio_value_name(b)) && diff_texts_same(ptio_value_bytes(a), ptio_value_bytes(b)) &&
           (ptio_value_kind(a) != PTIO_KIND_COMPLEX || diff_complex_same(a, b));
}

/* "(Parameter 0)" */
static bool name_own_key(differ *d, const ptio_value *key, size_t at)
{
    char number[32];
    ptio_text class_ = ptio_value_class(key);
    for (size_t i = class_.size; i-- > 0;)
        if (class_.bytes[i] == '.') {
            class_ = (ptio_text){class_.bytes + i + 1, class_.size - i - 1};
            break;
        }
    (void)snprintf(number, sizeof number, " %zu)", at);
    return add_dot(d) && add_text(d, (ptio_text){"(", 1}) && add_text(d, class_) &&
           add_text(d, (ptio_text){number, strlen(number)});
}

static bool compare_own_entry(walk *w, const level *l, size_t index)
{
    bool of_b = index >= l->count_a;
    const ptio_value *own = of_b ? l->b : l->a, *other = of_b ? l->a : l->b;
    size_t at = of_b ? index - l->count_a : index;
    const ptio_value *key = ptio_value_key(own, at), *found = ptio_value_key(other, at);
    bool alike = keys_alike(key, found);
    if (!name_own_key(w->d, key, at))
        return false;
    if (!alike)
        return count_only(w->d, of_b, ptio_value_item(own, at), NULL);
    if (of_b)
        return true;
    const ptio_tensor *tensor = ptio_value_tensor(key), *other_tensor = ptio_value_tensor(found);
    if (tensor && other_tensor && !compare_tensors(w, tensor, other_tensor))
        return false;
    return compare(w, ptio_value_item(own, at), ptio_value_item(other, at), false);
}

static bool compare_entry(walk *w, const level *l, size_t index)
{
    differ *d = w->d;
    bool of_b = index >= l->count_a;
    const ptio_value *own = of_b ? l->b : l->a, *other = of_b ? l->a : l->b;
    size_t at = of_b ? index - l->count_a : index;
    const ptio_value *key = ptio_value_key(own, at), *found = ptio_value_get_value(other, key);
    if (is_own_key(key))
        return compare_own_entry(w, l, index);
    if (of_b && found)
        return true;
    if (!is_hidden(l, key) && !name_key(d, key))
        return false;
    if (!found)
        return count_only(d, of_b, ptio_value_item(own, at), NULL);
    return compare(w, ptio_value_item(own, at), found, false);
}

static bool compare_item(walk *w, const level *l, size_t index)
{
    bool of_b = index >= l->count_a;
    size_t at = of_b ? index - l->count_a : index;
    if (of_b && at < l->count_a)
        return true;
    if (!name_index(w->d, at))
        return false;
    if (of_b || at >= l->count_b)
        return count_only(w->d, of_b, ptio_value_item(of_b ? l->b : l->a, at), NULL);
    return compare(w, ptio_value_item(l->a, at), ptio_value_item(l->b, at), false);
}

/* What a dict or a tensor carries, such as _metadata, counts where both have it; what an object is made of always. */
static bool compare_extra(walk *w, const level *l, size_t which)
{
    static const char *const names[EXTRAS] = {"", "", "default_factory", "(state)", "(arguments)", "(keywords)"};
    const ptio_value *x = extra_of(l->a, which), *y = extra_of(l->b, which);
    bool is_object = ptio_value_kind(l->a) == PTIO_KIND_OBJECT;
    if (!x && !y)
        return true;
    if (*names[which] && (!add_dot(w->d) || !add_text(w->d, (ptio_text){names[which], strlen(names[which])})))
        return false;
    if (x && y)
        return compare(w, x, y, which == ATTRIBUTES && ptio_value_is_module(l->a) && ptio_value_is_module(l->b));
    return !is_object || count_only(w->d, y != NULL, x ? x : y, NULL);
}

static bool step(walk *w)
{
    level *top = &w->levels[w->depth - 1], now = *top;
    size_t index = top->next++;
    grow_cut(&w->d->path, now.path);
    if (index == now.count_a + now.count_b + (now.a ? EXTRAS : 0)) {
        w->depth--;
        return true;
    }
    if (!now.a)
        return compare_part(w, &now, index);
    if (index >= now.count_a + now.count_b)
        return compare_extra(w, &now, index - now.count_a - now.count_b);
    return ptio_value_kind(now.a) == PTIO_KIND_DICT ? compare_entry(w, &now, index) : compare_item(w, &now, index);
}

bool diff_values(differ *d)
{
    walk w = {.d = d};
    bool fine = compare(&w, d->a.value, d->b.value, false);
    while (fine && w.depth && !out_failed())
        fine = step(&w);
    free(w.levels);
    free(w.parent);
    seen_free(&w.known);
    return fine;
}
