/*
 * Loading from what the caller has open, where it stands; storages that are written to, in memory and in maps of both kinds.
 */
#define _GNU_SOURCE
#include <fcntl.h>

#include "torch/files.h"

static const int64_t five[] = {0, 1, 2, 3, 4};

/* A file of `count` objects one behind the other, legacy streams or one zip, behind some bytes; opened for reading and writing. */
static FILE *saved(int count, bool legacy, const char *before)
{
    ptio_error err = {0};
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_true(fputs(before, file) >= 0);
    for (int i = 0; i < count; i++) {
        ptio_builder *b;
        ptio_sink *sink;
        int64_t data[5];
        for (int k = 0; k < 5; k++)
            data[k] = five[k] + 100 * i;
        assert_int_equal(ptio_builder_new(NULL, &b, &err), PTIO_OK);
        assert_int_equal(ptio_sink_from_file(file, NULL, &sink, &err), PTIO_OK);
        ptio_save_options options = {PTIO_SAVE_OPTIONS, .legacy = legacy};
        const ptio_value *x = ptio_new_tensor(b, PTIO_INT64, 1, (int64_t[]){5}, data);
        assert_int_equal(ptio_save_sink(x, sink, &options, &err), PTIO_OK);
        assert_int_equal(ptio_sink_finish(sink, &err), PTIO_OK);
        ptio_sink_free(sink);
        ptio_builder_free(b);
    }
    assert_int_equal(fflush(file), 0);
    return file;
}

static void assert_five(const ptio_checkpoint *ckpt, int64_t first)
{
    int64_t found[5];
    ptio_error err = {0};
    assert_int_equal(ptio_tensor_copy(ptio_value_tensor(ptio_root(ckpt)), PTIO_INT64, found, sizeof found, &err), PTIO_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(found[i], first + i);
}

static void objects_are_loaded_one_after_another(void **state)
{
    (void)state;
    FILE *file = saved(3, true, "seven..");
    ptio_checkpoint *loaded[3], *none = NULL;
    assert_int_equal(fseeko(file, 7, SEEK_SET), 0);
    for (int i = 0; i < 3; i++) {
        ptio_checkpoint_info info;
        assert_int_equal(ptio_load_file(file, NULL, &loaded[i], NULL), PTIO_OK);
        ptio_checkpoint_describe(loaded[i], &info);
        assert_int_equal(ftello(file), info.end_offset);
    }
    off_t end = ftello(file);
    ptio_error err = {0};
    assert_int_not_equal(ptio_load_file(file, NULL, &none, &err), PTIO_OK);
    assert_null(none);
    assert_int_equal(ftello(file), end);
    for (int i = 0; i < 3; i++) { /* the first was not read until now */
        assert_five(loaded[i], 100 * i);
        ptio_checkpoint_free(loaded[i]);
    }
    assert_int_equal(ftello(file), end);
    (void)fclose(file);
}

static void descriptors_have_a_position_too(void **state)
{
    (void)state;
    FILE *file = saved(2, true, "");
    int fd = fileno(file);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    for (int mmap = 0; mmap < 2; mmap++) {
        ptio_checkpoint *ckpt;
        ptio_load_options options = {PTIO_LOAD_OPTIONS, .mmap = mmap};
        assert_int_equal(ptio_load_fd(fd, &options, &ckpt, NULL), PTIO_OK);
        assert_five(ckpt, 100 * mmap);
        ptio_checkpoint_free(ckpt);
    }
    assert_int_equal(lseek(fd, 0, SEEK_CUR), lseek(fd, 0, SEEK_END));
    (void)fclose(file);
}

static void archives_begin_where_the_stream_stands(void **state)
{
    (void)state;
    FILE *file = saved(1, false, "junk");
    ptio_checkpoint *ckpt;
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .offset = 3};
    assert_int_equal(fseeko(file, 1, SEEK_SET), 0);
    assert_int_equal(ptio_load_file(file, &options, &ckpt, NULL), PTIO_OK);
    assert_five(ckpt, 0);
    off_t end = ftello(file);
    assert_int_equal(fseeko(file, 0, SEEK_END), 0);
    assert_int_equal(ftello(file), end);
    ptio_checkpoint_free(ckpt);
    (void)fclose(file);
}

static void offsets_beyond_the_end_are_refused(void **state)
{
    (void)state;
    FILE *file = saved(1, true, "");
    for (int i = 0; i < 2; i++) {
        ptio_checkpoint *ckpt = NULL;
        ptio_error err = {0};
        ptio_load_options options = {PTIO_LOAD_OPTIONS, .offset = i ? UINT64_MAX : 1 << 20};
        assert_int_equal(fseeko(file, 5, SEEK_SET), 0);
        assert_int_equal(ptio_load_file(file, &options, &ckpt, &err), PTIO_ERR_ARGUMENT);
        assert_int_equal(ftello(file), 5);
    }
    (void)fclose(file);
}

static void pipes_are_read_to_their_end(void **state)
{
    (void)state;
    FILE *file = saved(1, true, "");
    char copy[4096];
    rewind(file);
    size_t size = fread(copy, 1, sizeof copy, file);
    int ends[2];
    ptio_checkpoint *ckpt;
    assert_in_range(size, 1, sizeof copy - 1);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], copy, size), size);
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(ptio_load_fd(ends[0], NULL, &ckpt, NULL), PTIO_OK);
    assert_five(ckpt, 0);
    ptio_checkpoint_free(ckpt);
    assert_int_equal(close(ends[0]), 0);
    (void)fclose(file);
}

static void streams_are_not_mapped(void **state)
{
    (void)state;
    FILE *file = saved(1, false, "");
    ptio_checkpoint *ckpt;
    ptio_error err = {0};
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .mmap = true};
    assert_int_equal(ptio_load_file(file, &options, &ckpt, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.reason, "mmap.stream");
    (void)fclose(file);
}

/* ---- writing to storages ---- */

/* Load by a descriptor, write 77 to the first element, and look at it by all ways. */
static void write_first(int fd, const ptio_load_options *options)
{
    ptio_checkpoint *ckpt;
    int64_t *data, found[5];
    const void *read;
    const int64_t value = 77;
    ptio_error err = {0};
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(ptio_load_fd(fd, options, &ckpt, &err), PTIO_OK);
    const ptio_tensor *tensor = ptio_value_tensor(ptio_root(ckpt));
    const ptio_storage *storage = ptio_tensor_storage(tensor);
    assert_int_equal(ptio_storage_writable(storage, (void **)&data, &err), PTIO_OK);
    memcpy(data, &value, sizeof value);
    assert_int_equal(ptio_tensor_copy(tensor, PTIO_INT64, found, sizeof found, &err), PTIO_OK);
    assert_int_equal(found[0], 77);
    assert_int_equal(found[4], 4);
    assert_int_equal(ptio_storage_data(storage, &read, &err), PTIO_OK);
    assert_ptr_equal(read, data);

    ptio_sink *sink;
    ptio_checkpoint *again;
    assert_int_equal(ptio_sink_to_memory(NULL, &sink, &err), PTIO_OK);
    assert_int_equal(ptio_save_sink(ptio_root(ckpt), sink, NULL, &err), PTIO_OK);
    assert_int_equal(ptio_sink_finish(sink, &err), PTIO_OK);
    ptio_text saved_bytes = ptio_sink_bytes(sink);
    assert_int_equal(ptio_load_memory(saved_bytes.bytes, saved_bytes.size, NULL, &again, &err), PTIO_OK);
    assert_int_equal(ptio_tensor_copy(ptio_value_tensor(ptio_root(again)), PTIO_INT64, found, sizeof found, &err), PTIO_OK);
    assert_int_equal(found[0], 77);
    ptio_checkpoint_free(again);
    ptio_sink_free(sink);
    ptio_checkpoint_free(ckpt);
}

static int64_t first_in_file(int fd)
{
    ptio_checkpoint *ckpt;
    int64_t found[5];
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(ptio_load_fd(fd, NULL, &ckpt, NULL), PTIO_OK);
    /* Of a shared map the CRC is that of the old bytes. A stream has none, but its bytes may be in the other order. */
    const ptio_tensor *tensor = ptio_value_tensor(ptio_root(ckpt));
    uint64_t offset, nbytes;
    if (ptio_storage_range(ptio_tensor_storage(tensor), &offset, &nbytes))
        assert_int_equal(pread(fd, found, sizeof found, (off_t)offset), sizeof found);
    else
        assert_int_equal(ptio_tensor_copy(tensor, PTIO_INT64, found, sizeof found, NULL), PTIO_OK);
    ptio_checkpoint_free(ckpt);
    return found[0];
}

static void what_was_read_is_written_in_memory(void **state)
{
    (void)state;
    FILE *file = saved(1, false, "");
    write_first(fileno(file), NULL);
    assert_int_equal(first_in_file(fileno(file)), 0);
    (void)fclose(file);
}

static void private_maps_leave_the_file_alone(void **state)
{
    (void)state;
    for (int legacy = 0; legacy < 2; legacy++) {
        FILE *file = saved(1, legacy, "");
        write_first(fileno(file), &(ptio_load_options){PTIO_LOAD_OPTIONS, .mmap = true});
        assert_int_equal(first_in_file(fileno(file)), 0);
        (void)fclose(file);
    }
}

static void shared_maps_change_the_file(void **state)
{
    (void)state;
    FILE *file = saved(1, false, "");
    write_first(fileno(file), &(ptio_load_options){PTIO_LOAD_OPTIONS, .mmap = true, .mmap_shared = true});
    assert_int_equal(first_in_file(fileno(file)), 77);
    (void)fclose(file);
}

static void shared_maps_need_a_file_that_can_be_written(void **state)
{
    (void)state;
    FILE *file = saved(1, false, "");
    char path[64];
    ptio_checkpoint *ckpt;
    void *data;
    ptio_error err = {0};
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .mmap = true, .mmap_shared = true};
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fileno(file));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ptio_load_fd(fd, &options, &ckpt, &err), PTIO_OK);
    const ptio_storage *storage = ptio_tensor_storage(ptio_value_tensor(ptio_root(ckpt)));
    assert_int_equal(ptio_storage_writable(storage, &data, &err), PTIO_ERR_IO);
    assert_string_equal(err.reason, "io.map");
    ptio_checkpoint_free(ckpt);
    assert_int_equal(close(fd), 0);
    (void)fclose(file);
}

static void pipes_cannot_be_shared(void **state)
{
    (void)state;
    int ends[2];
    ptio_checkpoint *ckpt;
    ptio_error err = {0};
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .mmap = true, .mmap_shared = true};
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(ptio_load_fd(ends[0], &options, &ckpt, &err), PTIO_ERR_IO);
    assert_string_equal(err.reason, "io.map");
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(close(ends[1]), 0);
}

static void compressed_storages_are_not_shared(void **state)
{
    (void)state;
    static const char *const names[] = {"w", "b", "i"};
    ptio_checkpoint *ckpt;
    void *data;
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .mmap = true, .mmap_shared = true};
    int fd = open(EXTRA "rezip/deflated.pt", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ptio_load_fd(fd, &options, &ckpt, NULL), PTIO_OK);
    for (size_t i = 0; i < 3; i++) {
        const ptio_storage *storage = ptio_tensor_storage(ptio_value_tensor(ptio_value_get(ptio_root(ckpt), names[i])));
        ptio_error err = {0};
        assert_non_null(storage);
        assert_int_equal(ptio_storage_writable(storage, &data, &err), PTIO_ERR_ARGUMENT);
        assert_string_equal(err.reason, "storage.not-shared");
    }
    ptio_checkpoint_free(ckpt);
    assert_int_equal(close(fd), 0);
}

static void memory_of_the_caller_is_copied(void **state)
{
    (void)state;
    ptio_builder *b;
    int64_t *data, found[5];
    const void *before;
    ptio_error err = {0};
    assert_int_equal(ptio_builder_new(NULL, &b, &err), PTIO_OK);
    const ptio_storage *storage = ptio_new_storage(b, PTIO_INT64, five, sizeof five, NULL);
    const ptio_value *x = ptio_new_view(b, storage, PTIO_INT64, 1, (int64_t[]){5}, NULL, 0, false);
    assert_int_equal(ptio_storage_data(storage, &before, &err), PTIO_OK);
    assert_ptr_equal(before, five);
    assert_int_equal(ptio_storage_writable(storage, (void **)&data, &err), PTIO_OK);
    assert_ptr_not_equal(data, five);
    data[1] = -1;
    assert_int_equal(five[1], 1);
    assert_int_equal(ptio_tensor_copy(ptio_value_tensor(x), PTIO_INT64, found, sizeof found, &err), PTIO_OK);
    assert_int_equal(found[1], -1);
    assert_int_equal(found[2], 2);
    ptio_builder_free(b);
}

/* Each allocation fails in turn: nothing is kept, and the position is as it was. */
static void want_of_memory(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++) {
        FILE *file = saved(1, form % 2, "seven..");
        ptio_status status = PTIO_ERR_MEMORY;
        uint64_t n = 0;
        for (; status != PTIO_OK; n++) {
            counted_memory m;
            counted_memory_init(&m);
            m.fail_at = n;
            ptio_checkpoint *ckpt = NULL;
            ptio_error err = {0};
            const ptio_load_options options = {PTIO_LOAD_OPTIONS, .memory = &m.hooks};
            assert_int_equal(fseeko(file, 7, SEEK_SET), 0);
            assert_int_equal(lseek(fileno(file), 7, SEEK_SET), 7);
            status = form < 2 ? ptio_load_file(file, &options, &ckpt, &err) : ptio_load_fd(fileno(file), &options, &ckpt, &err);
            assert_true(status == PTIO_OK || (status == PTIO_ERR_MEMORY && !ckpt));
            assert_int_equal(status == PTIO_OK, m.calls <= n);
            if (status != PTIO_OK)
                assert_int_equal(form < 2 ? ftello(file) : lseek(fileno(file), 0, SEEK_CUR), 7);
            else
                assert_five(ckpt, 0);
            ptio_checkpoint_free(ckpt);
            assert_int_equal(m.held, 0);
        }
        assert_true(n > 5);
        (void)fclose(file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_loaded_one_after_another),
        cmocka_unit_test(descriptors_have_a_position_too),
        cmocka_unit_test(archives_begin_where_the_stream_stands),
        cmocka_unit_test(offsets_beyond_the_end_are_refused),
        cmocka_unit_test(pipes_are_read_to_their_end),
        cmocka_unit_test(streams_are_not_mapped),
        cmocka_unit_test(what_was_read_is_written_in_memory),
        cmocka_unit_test(private_maps_leave_the_file_alone),
        cmocka_unit_test(shared_maps_change_the_file),
        cmocka_unit_test(shared_maps_need_a_file_that_can_be_written),
        cmocka_unit_test(pipes_cannot_be_shared),
        cmocka_unit_test(compressed_storages_are_not_shared),
        cmocka_unit_test(memory_of_the_caller_is_copied),
        cmocka_unit_test(want_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
