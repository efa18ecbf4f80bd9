/*
 * The table of dtypes, made of dtype.def, and the names by which files and programs know them.
 *
 * PTIO_DTYPE_LIST in the public header and dtype.def list the same dtypes; that they agree in names and order is proven here
 * when this file is compiled.
 */
#include "tensor/dtype.h"

const ptio_dtype_row ptio_dtype_rows[PTIO_DTYPE_COUNT] = {
    [PTIO_NO_DTYPE] = {"", 0, 0, PTIO_DTYPE_OPAQUE, ""},
#define DTYPE(id, name, itemsize, swap, class_, storage) [PTIO_##id] = {#name, itemsize, swap, PTIO_DTYPE_##class_, storage},
#include "tensor/dtype.def"
#undef DTYPE
};

/* PUBLIC_<id>_<name> is the number in the public list, ROW_<id> that in dtype.def: a name that differs does not compile. */
enum {
#define PUBLIC(id, name) PUBLIC_##id##_##name = PTIO_##id,
    PTIO_DTYPE_LIST(PUBLIC)
#undef PUBLIC
        ROW_NONE = PTIO_NO_DTYPE,
#define DTYPE(id, name, itemsize, swap, class_, storage) ROW_##id,
#include "tensor/dtype.def"
#undef DTYPE
    ROW_COUNT
};

#define DTYPE(id, name, itemsize, swap, class_, storage) \
    _Static_assert((int)PUBLIC_##id##_##name == (int)ROW_##id, "dtype.def and PTIO_DTYPE_LIST differ at " #id);
#include "tensor/dtype.def"
#undef DTYPE
_Static_assert((int)ROW_COUNT == (int)PTIO_DTYPE_COUNT, "dtype.def and PTIO_DTYPE_LIST have different lengths");

/* The other names that the module torch has for dtypes. */
static const struct alias {
    const char *name;
    ptio_dtype dtype;
} aliases[] = {
    {"double", PTIO_FLOAT64},   {"float", PTIO_FLOAT32},      {"half", PTIO_FLOAT16},
    {"long", PTIO_INT64},       {"int", PTIO_INT32},          {"short", PTIO_INT16},
    {"cfloat", PTIO_COMPLEX64}, {"cdouble", PTIO_COMPLEX128}, {"chalf", PTIO_COMPLEX32},
};

const char *ptio_dtype_name(ptio_dtype dtype)
{
    return (size_t)dtype < PTIO_DTYPE_COUNT ? ptio_dtype_rows[dtype].name : "";
}

size_t ptio_dtype_itemsize(ptio_dtype dtype)
{
    return (size_t)dtype < PTIO_DTYPE_COUNT ? ptio_dtype_rows[dtype].itemsize : 0;
}

ptio_dtype ptio_dtype_from_text(ptio_text name)
{
    for (unsigned i = PTIO_NO_DTYPE + 1; i < PTIO_DTYPE_COUNT; i++)
        if (ptio_text_is(name, ptio_dtype_rows[i].name))
            return (ptio_dtype)i;
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (ptio_text_is(name, aliases[i].name))
            return aliases[i].dtype;
    return PTIO_NO_DTYPE;
}

ptio_dtype ptio_dtype_from_name(const char *name)
{
    ptio_text text = ptio_text_of(name);
    if (!name)
        return PTIO_NO_DTYPE;
    if (ptio_text_starts(text, "torch."))
        text = ptio_text_of(name + strlen("torch."));
    return ptio_dtype_from_text(text);
}

/* The dtype whose storage class is "<stem>Storage". */
static ptio_dtype from_stem(ptio_text stem)
{
    for (unsigned i = PTIO_NO_DTYPE + 1; i < PTIO_DTYPE_COUNT; i++) {
        ptio_text storage_class = ptio_text_of(ptio_dtype_rows[i].storage_class);
        if (storage_class.size == stem.size + strlen("Storage") && memcmp(storage_class.bytes, stem.bytes, stem.size) == 0)
            return (ptio_dtype)i;
    }
    return PTIO_NO_DTYPE;
}

static ptio_dtype from_class(ptio_text name, const char *suffix)
{
    size_t tail = strlen(suffix);
    if (name.size <= tail || !ptio_text_ends(name, suffix))
        return PTIO_NO_DTYPE;
    return from_stem((ptio_text){name.bytes, name.size - tail});
}

ptio_dtype ptio_dtype_from_storage_class(ptio_text name)
{
    return from_class(name, "Storage");
}

ptio_dtype ptio_dtype_from_tensor_class(ptio_text name)
{
    return from_class(name, "Tensor");
}
