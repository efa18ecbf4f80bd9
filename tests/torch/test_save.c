/*
 * Saving what was loaded: files of PyTorch 2.13 come back byte for byte, which is torch.save(torch.load(file)); with options.as every
 * file of every release does.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ptio.h"

#define CORPUS PTIO_TEST_DATA "/corpus"

static char *read_file(const char *folder, const char *name, size_t *size)
{
    char path[512];
    (void)snprintf(path, sizeof path, CORPUS "/%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    (void)fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*size + 1);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    (void)fclose(file);
    return bytes;
}

/* Those that were saved with other options; those that PyTorch itself does not give back, since loading changes which texts are
 * one object, or one form into another. tests/oracle compares these with what PyTorch makes of them. */
static bool is_plain(const char *name)
{
    static const char *const others[] = {"target_buffer_legacy",
                                         "batch_set_protocol_4",
                                         "alignment_",
                                         "byteorder_off",
                                         "crc32_off",
                                         "skip_data",
                                         "fake_tensors",
                                         "protocol_",
                                         "frames_protocol_4",
                                         "python_reduce_protocol_4",
                                         "legacy_",
                                         "script_module",
                                         "storages",
                                         "storage_slices",
                                         "numpy_",
                                         "nested_jagged",
                                         "python_more",
                                         "python_objects",
                                         "python_shared",
                                         "checkpoint_adam",
                                         "located_",
                                         "module_layers",
                                         "module_tower"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strncmp(name, others[i], strlen(others[i])) == 0)
            return false;
    return true;
}

/* Load a file and save it to memory again: whether the same bytes come out. */
static bool comes_back(const char *folder, const char *name, bool as_found, ptio_profile profile)
{
    size_t size;
    char *bytes = read_file(folder, name, &size);
    ptio_checkpoint *ckpt;
    ptio_error err = {0};
    ptio_sink *sink;
    ptio_checkpoint_info info;
    char root[128];
    assert_int_equal(ptio_load_memory(bytes, size, NULL, &ckpt, &err), PTIO_OK);
    ptio_checkpoint_describe(ckpt, &info);
    (void)snprintf(root, sizeof root, "%.*s", (int)info.root.size, info.root.bytes);
    ptio_save_options options = {PTIO_SAVE_OPTIONS, .profile = profile, .root = root, .as = as_found ? ckpt : NULL};
    options.byte_order = PTIO_LITTLE_ENDIAN; /* as the files have it, on every machine */
    assert_int_equal(ptio_sink_to_memory(NULL, &sink, &err), PTIO_OK);
    ptio_status status = ptio_save_sink(ptio_root(ckpt), sink, &options, &err);
    ptio_text written = ptio_sink_bytes(sink);
    bool same = status == PTIO_OK && written.size == size && memcmp(written.bytes, bytes, size) == 0;
    if (!same)
        print_message("%s/%s: %s\n", folder, name, status == PTIO_OK ? "not the same bytes" : err.message);
    ptio_sink_free(sink);
    ptio_checkpoint_free(ckpt);
    free(bytes);
    return same;
}

static void try_folder(const char *folder, bool as_found, size_t *tried, size_t *same)
{
    char path[512];
    (void)snprintf(path, sizeof path, CORPUS "/%s", folder);
    DIR *open = opendir(path);
    for (const struct dirent *entry; open && (entry = readdir(open));) {
        size_t size = strlen(entry->d_name);
        if (size < 3 || strcmp(entry->d_name + size - 3, ".pt") != 0 || strcmp(entry->d_name, "script_module.pt") == 0)
            continue;
        if (!as_found && !is_plain(entry->d_name))
            continue;
        ++*tried;
        *same += comes_back(folder, entry->d_name, as_found, PTIO_PROFILE_2_7);
    }
    if (open)
        (void)closedir(open);
}

static void files_of_today_come_back(void **state)
{
    (void)state;
    size_t tried = 0, same = 0;
    try_folder("2.13.0", false, &tried, &same);
    assert_true(tried > 100);
    assert_int_equal(same, tried);
}

static void files_of_2_0_come_back(void **state)
{
    (void)state;
    static const char *const names[] = {"sparse_coo.pt", "sparse_csr.pt", "sparse_csr_int32_batched.pt", "tied.pt",
                                        "views.pt",      "seed_model.pt", "quantized_dynamic.pt",        "target_buffer.pt"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_true(comes_back("2.0.1", names[i], false, PTIO_PROFILE_2_0));
}

/* What 2.0 can save and 1.13 cannot, and what neither can. */
static void what_2_0_has(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        ptio_status by_2_0;
    } rows[] = {
        {"conj_view.pt", PTIO_OK}, {"neg_view.pt", PTIO_OK}, {"sparse_bsr.pt", PTIO_OK}, {"nested.pt", PTIO_ERR_ARGUMENT}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ptio_checkpoint *ckpt;
        ptio_sink *sink;
        char path[256];
        (void)snprintf(path, sizeof path, CORPUS "/2.13.0/%s", rows[i].name);
        assert_int_equal(ptio_load(path, NULL, &ckpt, NULL), PTIO_OK);
        assert_int_equal(ptio_sink_to_memory(NULL, &sink, NULL), PTIO_OK);
        ptio_save_options options = {PTIO_SAVE_OPTIONS, .profile = PTIO_PROFILE_1_13};
        assert_int_equal(ptio_save_sink(ptio_root(ckpt), sink, &options, NULL), PTIO_ERR_ARGUMENT);
        options.profile = PTIO_PROFILE_2_0;
        assert_int_equal(ptio_save_sink(ptio_root(ckpt), sink, &options, NULL), rows[i].by_2_0);
        ptio_sink_free(sink);
        ptio_checkpoint_free(ckpt);
    }
}

/* Every file that any torch.save wrote, zip and stream, Python 2's too. */
static void every_file_as_it_was(void **state)
{
    (void)state;
    size_t tried = 0, same = 0;
    DIR *open = opendir(CORPUS);
    assert_non_null(open);
    for (const struct dirent *entry; (entry = readdir(open));)
        if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
            try_folder(entry->d_name, true, &tried, &same);
    (void)closedir(open);
    assert_true(tried > 1000);
    assert_int_equal(same, tried);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_today_come_back),
        cmocka_unit_test(files_of_2_0_come_back),
        cmocka_unit_test(what_2_0_has),
        cmocka_unit_test(every_file_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
