/*
 * What each option of the command line does, and the table of them.
 */
#include "cli/option_table.h"

#include <errno.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

static bool set_help(cli_options *o, const char *value)
{
    (void)value;
    return o->help = true;
}

static bool set_json(cli_options *o, const char *value)
{
    (void)value;
    return o->json = true;
}

static bool set_hash(cli_options *o, const char *value)
{
    (void)value;
    return o->hash = true;
}

static bool set_raw(cli_options *o, const char *value)
{
    (void)value;
    return o->raw = true;
}

static bool set_devices(cli_options *o, const char *value)
{
    (void)value;
    return o->devices = true;
}

static bool set_keys(cli_options *o, const char *value)
{
    (void)value;
    return o->keys = true;
}

static bool set_all(cli_options *o, const char *value)
{
    (void)value;
    return o->all = true;
}

static bool set_finite(cli_options *o, const char *value)
{
    (void)value;
    return o->finite = true;
}

static bool set_form(cli_options *o, cli_form form)
{
    o->form = form;
    return ++o->forms == 1;
}

#define FORM(name, form)                                \
    static bool name(cli_options *o, const char *value) \
    {                                                   \
        (void)value;                                    \
        return set_form(o, (form));                     \
    }
FORM(set_form_raw, CLI_FORM_RAW)
FORM(set_form_npy, CLI_FORM_NPY)
FORM(set_form_text, CLI_FORM_TEXT)
FORM(set_form_json, CLI_FORM_JSON)
#undef FORM

static bool set_slice(cli_options *o, const char *value)
{
    o->slice = value;
    return *value != '\0';
}

static bool set_dtype(cli_options *o, const char *value)
{
    return (o->cast = ptio_dtype_from_name(value)) != PTIO_NO_DTYPE;
}

/* A number that is 0 or more; in C's notation, but no word such as "inf" or "nan". */
static bool read_tolerance(cli_options *o, const char *value, double *ret)
{
    char *end;
    if (!strchr("0123456789.", *value))
        return false;
    *ret = strtod(value, &end);
    return o->tolerant = end != value && !*end && *ret <= DBL_MAX;
}

static bool set_rtol(cli_options *o, const char *value)
{
    return read_tolerance(o, value, &o->rtol);
}

static bool set_atol(cli_options *o, const char *value)
{
    return read_tolerance(o, value, &o->atol);
}

static bool set_out(cli_options *o, const char *value)
{
    o->out = value;
    return *value != '\0';
}

static bool set_weights_only(cli_options *o, const char *value)
{
    (void)value;
    return o->load.weights_only = true;
}

/* NAME, or NAME=ALIAS: the text is the command line's own and is cut there. */
static bool set_allow(cli_options *o, const char *value)
{
    if (o->load.allow_count == CLI_MOST_ALLOWED || !*value || *value == '=')
        return false;
    char *equals = strchr((char *)(uintptr_t)value, '=');
    if (equals)
        *equals = '\0';
    o->allowed[o->load.allow_count++] = (ptio_safe_global){value, equals && equals[1] ? equals + 1 : NULL};
    o->load.allow = o->allowed;
    return true;
}

static bool set_rules(cli_options *o, const char *value)
{
    static const char *const releases[] = {"2.6", "2.9", "2.13", "2.14"};
    o->load.rules = value;
    for (size_t i = 0; i < sizeof releases / sizeof *releases; i++)
        if (strcmp(value, releases[i]) == 0)
            return true;
    return false;
}

static bool set_mmap(cli_options *o, const char *value)
{
    (void)value;
    return o->load.mmap = true;
}

/* Decimal digits and nothing else. */
static bool read_number(const char *text, uint64_t *ret)
{
    if (*text < '0' || *text > '9')
        return false;
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || *end)
        return false;
    *ret = value;
    return true;
}

static bool set_threads(cli_options *o, const char *value)
{
    uint64_t count;
    if (!read_number(value, &count) || !count || count > 64)
        return false;
    o->load.threads = o->save.threads = (unsigned)count;
    return true;
}

static bool set_max_depth(cli_options *o, const char *value)
{
    return read_number(value, &o->max_depth);
}

static bool set_head(cli_options *o, const char *value)
{
    return read_number(value, &o->head);
}

/* A number that may be 0 where 0 stands for the default. */
static bool set_size(size_t *field, const char *value)
{
    uint64_t number;
    if (!read_number(value, &number))
        return false;
    *field = !number ? PTIO_PRINT_ZERO : number < PTIO_PRINT_ZERO ? (size_t)number : SIZE_MAX;
    return true;
}

static bool set_precision(cli_options *o, const char *value)
{
    return set_size(&o->print.precision, value) && (o->print.precision <= 60 || o->print.precision == PTIO_PRINT_ZERO);
}

static bool set_threshold(cli_options *o, const char *value)
{
    return set_size(&o->print.threshold, value);
}

static bool set_edgeitems(cli_options *o, const char *value)
{
    return set_size(&o->print.edge_items, value);
}

static bool set_linewidth(cli_options *o, const char *value)
{
    return set_size(&o->print.line_width, value);
}

/* The profiles of torch.set_printoptions(): `full` allows more elements than anybody prints, and leaves arrays to NumPy. */
static bool set_print_profile(cli_options *o, const char *value)
{
    bool is_short = strcmp(value, "short") == 0, full = strcmp(value, "full") == 0;
    if (!is_short && !full && strcmp(value, "default") != 0)
        return false;
    o->print.precision = is_short ? 2 : 4;
    o->print.edge_items = is_short ? 2 : 3;
    o->print.threshold = full ? SIZE_MAX / 2 : 1000;
    o->print.line_width = 80;
    return true;
}

static bool set_sci_mode(cli_options *o, const char *value)
{
    static const char *const names[] = {"auto", "on", "off"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(value, names[i]) == 0) {
            o->print.notation = (ptio_print_notation)i;
            return true;
        }
    return false;
}

static bool set_color(cli_options *o, const char *value)
{
    static const char *const names[] = {"auto", "always", "never"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(value, names[i]) == 0) {
            o->color = (cli_color)i;
            return true;
        }
    return false;
}

/* 3.11 is 311. */
static bool set_python(cli_options *o, const char *value)
{
    uint64_t minor;
    if (strncmp(value, "3.", 2) != 0 || !read_number(value + 2, &minor) || minor > 99)
        return false;
    o->print.python = 300 + (unsigned)minor;
    return true;
}

/* A device for all, or FROM=TO, which may stand again for other tags. No tag of PyTorch has a "=". */
static bool set_map_location(cli_options *o, const char *value)
{
    char *equals = strchr(value, '=');
    ptio_map_location *map = &o->map;
    if (map->device || !*value || (!equals && map->table) || map->table_count == CLI_MOST_PAIRS)
        return false;
    o->load.map_location = map;
    if (!equals) {
        map->device = value;
        return true;
    }
    *equals = '\0';
    o->pairs[map->table_count][0] = value;
    o->pairs[map->table_count++][1] = equals + 1;
    map->table = o->pairs;
    return true;
}

static bool set_offset(cli_options *o, const char *value)
{
    return read_number(value, &o->load.offset);
}

static bool set_record(cli_options *o, const char *value)
{
    o->record = value;
    return true;
}

static bool set_encoding(cli_options *o, const char *value)
{
    o->load.encoding = value;
    return true;
}

static bool set_errors(cli_options *o, const char *value)
{
    o->load.errors = value;
    return true;
}

static bool read_byte_order(const char *value, ptio_byte_order *ret)
{
    static const char *const names[] = {"little", "big", "native"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(value, names[i]) == 0) {
            *ret = (ptio_byte_order)i;
            return true;
        }
    return false;
}

static bool set_byte_order(cli_options *o, const char *value)
{
    return read_byte_order(value, &o->load.byte_order);
}

static bool set_endian(cli_options *o, const char *value)
{
    return read_byte_order(value, &o->save.byte_order);
}

/* Any release from 1.6 on, by the profile that it writes; "keep". */
static bool set_profile(cli_options *o, const char *value)
{
    static const struct {
        unsigned major, minor; /* the first release of it */
        ptio_profile profile;
    } rows[] = {{2, 7, PTIO_PROFILE_2_7},   {2, 1, PTIO_PROFILE_2_1},   {2, 0, PTIO_PROFILE_2_0},
                {1, 13, PTIO_PROFILE_1_13}, {1, 10, PTIO_PROFILE_1_10}, {1, 6, PTIO_PROFILE_1_6}};
    uint64_t minor;
    if (strcmp(value, "keep") == 0)
        return o->keep = true;
    if ((value[0] != '1' && value[0] != '2') || value[1] != '.' || !read_number(value + 2, &minor) || minor > 99)
        return false;
    unsigned major = (unsigned)(value[0] - '0');
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (major > rows[i].major || (major == rows[i].major && minor >= rows[i].minor)) {
            o->save.profile = rows[i].profile;
            return true;
        }
    return false;
}

static bool set_release(cli_options *o, const char *value)
{
    return set_profile(o, value) && !o->keep;
}

static bool set_legacy(cli_options *o, const char *value)
{
    (void)value;
    return o->save.legacy = true;
}

static bool set_protocol(cli_options *o, const char *value)
{
    uint64_t number;
    if (!read_number(value, &number) || number > 5)
        return false;
    o->save.protocol = (unsigned)number;
    return true;
}

static bool set_align(cli_options *o, const char *value)
{
    uint64_t number;
    if (!read_number(value, &number) || number < 1 || number > 65504)
        return false;
    o->save.alignment = (uint32_t)number;
    return true;
}

static bool set_no_crc(cli_options *o, const char *value)
{
    (void)value;
    return o->save.no_crc32 = true;
}

static bool set_root(cli_options *o, const char *value)
{
    o->save.root = value;
    return *value != '\0';
}

static bool set_backup(cli_options *o, const char *value)
{
    (void)value;
    o->sink.backup = ".bak";
    return true;
}

static bool add_change(cli_options *o, cli_change_kind kind, const char *value)
{
    if (o->change_count == CLI_MOST_CHANGES)
        return false;
    o->changes[o->change_count++] = (cli_change){kind, value};
    return true;
}

#define CHANGE(name, kind)                              \
    static bool name(cli_options *o, const char *value) \
    {                                                   \
        return add_change(o, (kind), value);            \
    }
CHANGE(set_select, CLI_CHANGE_SELECT)
CHANGE(set_drop, CLI_CHANGE_DROP)
CHANGE(set_rename, CLI_CHANGE_RENAME)
CHANGE(set_rename_regex, CLI_CHANGE_RENAME_REGEX)
CHANGE(set_strip_prefix, CLI_CHANGE_STRIP_PREFIX)
CHANGE(set_cast, CLI_CHANGE_CAST)
CHANGE(set_add, CLI_CHANGE_ADD)
#undef CHANGE

static bool set_data_only(cli_options *o, const char *value)
{
    (void)value;
    return o->data_only = true;
}

static bool set_compact(cli_options *o, const char *value)
{
    (void)value;
    return o->save.compact = true;
}

static bool set_in_place(cli_options *o, const char *value)
{
    (void)value;
    return o->in_place = true;
}

static bool set_dry_run(cli_options *o, const char *value)
{
    (void)value;
    return o->dry_run = true;
}

static bool set_no_sync(cli_options *o, const char *value)
{
    (void)value;
    return o->sink.not_durable = true;
}

#define LIMIT_FIELDS(X) \
    X(pickle_bytes)     \
    X(heap_bytes)       \
    X(heap_per_byte)    \
    X(directory_bytes)  \
    X(stream_bytes)     \
    X(storage_bytes)    \
    X(expand_factor)    \
    X(line_bytes)       \
    X(name_bytes)       \
    X(walk_nodes)

/* NAME=VALUE */
static bool set_limit(cli_options *o, const char *text)
{
    static const struct {
        const char *name;
        size_t offset;
    } fields[] = {
#define LIMIT_FIELD(name) {#name, offsetof(ptio_limits, name)},
        LIMIT_FIELDS(LIMIT_FIELD)
#undef LIMIT_FIELD
    };
    const char *equals = strchr(text, '=');
    if (!equals)
        return false;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        size_t size = (size_t)(equals - text);
        if (strlen(fields[i].name) == size && memcmp(fields[i].name, text, size) == 0)
            return read_number(equals + 1, (uint64_t *)(void *)((char *)&o->limits + fields[i].offset));
    }
    return false;
}

#define LOADING (CLI_SHOW | CLI_LS | CLI_TREE | CLI_INFO | CLI_CHECK | CLI_SAVE | CLI_STATS | CLI_GET | CLI_DIFF)
#define PRINTING (CLI_SHOW | CLI_GET)

const cli_option cli_option_table[] = {
    {"json", NULL, CLI_SHOW | CLI_LS | CLI_TREE | CLI_INFO | CLI_CHECK | CLI_STATS | CLI_DIFF, set_json, "for programs: JSON"},
    {"json", NULL, CLI_GET, set_form_json, "JSON: of a tensor its dtype, shape and data"},
    {"raw", NULL, CLI_GET, set_form_raw, "bytes: elements in C order, little-endian"},
    {"npy", NULL, CLI_GET, set_form_npy, "a .npy file, as numpy.save() writes it"},
    {"text", NULL, CLI_GET, set_form_text, "all numbers, a line for each row"},
    {"slice", "SLICES", CLI_GET, set_slice, "a part, as in Python: 0:10,::2,3"},
    {"cast", "DTYPE", CLI_GET, set_dtype, "numbers in another dtype, as tensor.to(dtype)"},
    {"output", "FILE", CLI_GET, set_out, "write FILE, all or nothing; -o for short"},
    {"hash", NULL, CLI_LS, set_hash, "with --json: SHA-256 of the elements"},
    {"raw", NULL, CLI_TREE, set_raw, "the nodes of the pickle, not what they mean"},
    {"devices", NULL, CLI_SHOW, set_devices, "where tensors were: device='cuda:0'"},
    {"keys", NULL, CLI_SHOW, set_keys, "of a dict what print(d.keys()) shows"},
    {"raw", NULL, CLI_SHOW, set_raw, "for pipes: a text as it is, controls unescaped"},
    {"all", NULL, PRINTING, set_all, "big tensors and arrays whole"},
    {"precision", "N", PRINTING, set_precision, "places of floats; default 4"},
    {"threshold", "N", PRINTING, set_threshold, "a tensor of more elements is big; default 1000"},
    {"edgeitems", "N", PRINTING, set_edgeitems, "of each end of a big tensor's dimension; default 3"},
    {"linewidth", "N", PRINTING, set_linewidth, "columns of tensors; default 80"},
    {"sci-mode", "MODE", PRINTING, set_sci_mode, "floats with an exponent: auto, on, off"},
    {"profile", "NAME", CLI_SHOW, set_print_profile, "torch.set_printoptions(): default, short, full"},
    {"python", "VERSION", PRINTING, set_python, "as that Python shows it: 3.11, ...; default 3.14"},
    {"max-depth", "N", CLI_SHOW | CLI_TREE, set_max_depth, "show deeper contents as \"...\""},
    {"head", "N", CLI_SHOW | CLI_LS | CLI_TREE, set_head, "the first N of each container (ls: of the list)"},
    {"color", "WHEN", CLI_LS | CLI_TREE | CLI_INFO | CLI_CHECK | CLI_STATS, set_color, "auto (on a terminal), always, never"},
    {"record", "NAME", CLI_DIS, set_record, "another pickle of the archive"},
    {"rtol", "X", CLI_DIFF, set_rtol, "a difference of X * |b| is none; default 1e-05"},
    {"atol", "X", CLI_DIFF, set_atol, "and one of X; default 1e-08"},
    {"finite", NULL, CLI_STATS, set_finite, "min, max, mean, std of the finite numbers only"},
    {"select", "GLOB", CLI_SAVE | CLI_STATS | CLI_DIFF, set_select, "only what has such a name; again for more"},
    {"drop", "GLOB", CLI_SAVE | CLI_STATS | CLI_DIFF, set_drop, "leave out what has such a name"},
    {"rename", "OLD=NEW", CLI_SAVE, set_rename, "a name, or the first parts of names"},
    {"rename-regex", "RE=NEW", CLI_SAVE, set_rename_regex, "what matches, by NEW with \\1 ... \\9"},
    {"strip-prefix", "PREFIX", CLI_SAVE, set_strip_prefix, "from all keys that have it, such as \"module.\""},
    {"cast", "DTYPE[:GLOB]", CLI_SAVE, set_cast, "floats to another dtype; or what GLOB names"},
    {"add", "OTHER[:GLOB]", CLI_SAVE, set_add, "tensors of another file; PATH=OTHER: to a dict"},
    {"compact", NULL, CLI_SAVE, set_compact, "only the bytes that tensors use"},
    {"data-only", NULL, CLI_SAVE, set_data_only, "leave out objects; modules as state_dict"},
    {"in-place", NULL, CLI_SAVE, set_in_place, "write IN itself; there is no OUT"},
    {"dry-run", NULL, SAVING, set_dry_run, "tell what would be done, write nothing"},
    {"profile", "RELEASE", CLI_SAVE, set_profile, "as this release writes, from 1.6 on; or keep"},
    {"profile", "RELEASE", CLI_NEW, set_release, "as this release writes, from 1.6 on"},
    {"legacy", NULL, SAVING, set_legacy, "the stream of PyTorch before 1.6"},
    {"protocol", "N", SAVING, set_protocol, "of the pickle, 0 to 5; PyTorch's default is 2"},
    {"endian", "ORDER", SAVING, set_endian, "of the storages: little, big, native (default)"},
    {"align", "N", SAVING, set_align, "where storages begin, 1 to 65504; default 64"},
    {"no-crc", NULL, SAVING, set_no_crc, "leave the checksums out"},
    {"root", "NAME", SAVING, set_root, "the folder in the archive; default: after OUT"},
    {"backup", NULL, SAVING, set_backup, "keep the file that OUT was as OUT.bak"},
    {"no-sync", NULL, SAVING, set_no_sync, "do not wait for the disk"},
    {"weights-only", NULL, LOADING & ~(unsigned)CLI_CHECK, set_weights_only, "refuse what weights_only of PyTorch refuses"},
    {"allow", "NAME[=ALIAS]", LOADING, set_allow, "a global that weights_only shall take; again for more"},
    {"rules", "RELEASE", LOADING, set_rules, "of weights_only: 2.6, 2.9, 2.13 (default) or 2.14"},
    {"map-location", "WHERE", LOADING & ~(unsigned)CLI_CHECK, set_map_location, "all to a device, or FROM=TO; as torch.load"},
    {"mmap", NULL, LOADING, set_mmap, "map the file; only if nobody changes it"},
    {"threads", "N", CLI_CHECK | SAVING, set_threads, "that read or write at once; default: all processors"},
    {"encoding", "NAME", LOADING, set_encoding, "of Python 2 strings: utf-8, latin1, bytes, ..."},
    {"errors", "NAME", LOADING, set_errors, "of decoding: strict, ignore, replace, ..."},
    {"byte-order", "ORDER", LOADING, set_byte_order, "where the file is silent: little, big, native"},
    {"offset", "N", CLI_ALL & ~(unsigned)CLI_NEW, set_offset, "where in the file the checkpoint begins"},
    {"limit", "NAME=N", CLI_ALL, set_limit, "what a file may cost: heap_bytes=1000000, ..."},
    {"help", NULL, CLI_ALL, set_help, "this text"},
};

const size_t cli_option_count = sizeof cli_option_table / sizeof *cli_option_table;

bool cli_option_is_form(const cli_option *option)
{
    return option->set == set_form_raw || option->set == set_form_npy || option->set == set_form_text ||
           option->set == set_form_json;
}
