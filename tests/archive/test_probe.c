/*
 * What a file is by its bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "archive/archive.h"

static ptio_probe probe(const void *bytes, size_t size)
{
    void *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    ptio_source *source;
    ptio_probe result;
    assert_int_equal(ptio_source_from_memory(copy, size, NULL, &source, NULL), PTIO_OK);
    assert_int_equal(ptio_probe_source(source, 0, &result, NULL), PTIO_OK);
    ptio_source_free(source);
    free(copy);
    return result;
}

typedef struct sample {
    const char *bytes;
    size_t size;
    const char *reason;
} sample;

#define SAMPLE(reason, bytes)                \
    {                                        \
        (bytes), sizeof(bytes) - 1, (reason) \
    }

static void foreign_files_are_named(void **state)
{
    (void)state;
    static const sample samples[] = {
        SAMPLE("not.empty", ""),
        SAMPLE("not.blank", "\n"),
        SAMPLE("not.blank", " \r\n\t"),
        SAMPLE("not.one-byte", "\x80"),
        SAMPLE("not.zeros", "\0\0\0\0\0\0\0\0\0\0"),
        SAMPLE("not.git-lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4380\n"),
        SAMPLE("not.html", "<!DOCTYPE html>\n<html><head>"),
        SAMPLE("not.html", "\n\n  <HTML lang=en>"),
        SAMPLE("not.google-drive", "<html>Google Drive - Virus scan warning</html>"),
        SAMPLE("not.xml", "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code></Error>"),
        SAMPLE("not.xml", "<svg/>"),
        SAMPLE("not.json", "{\"error\":\"Invalid credentials\"}"),
        SAMPLE("not.json", "{\n  \"weight_map\": {}}"),
        SAMPLE("not.json", "\xEF\xBB\xBF{}"),
        SAMPLE("not.yaml", "model:\n  type: resnet\n"),
        SAMPLE("not.yaml", "---\nkey: 1\n"),
        SAMPLE("not.text", "hello, this is not a checkpoint\n"),
        SAMPLE("not.text", "I have a pickle\n"),
        SAMPLE("not.text", "Now what\n"),
        SAMPLE("not.text", "(c) by nobody\n"),
        SAMPLE("not.text", "Very little text.\nsecond line\n"),
        SAMPLE("not.text", "c'est la vie\nencore\n"),
        SAMPLE("not.text", "Na\xC3\xAFve caf\xC3\xA9\n"),
        SAMPLE("not.utf16", "\xFF\xFEh\0e\0l\0l\0o\0"),
        SAMPLE("not.gzip", "\x1F\x8B\x08\x08"),
        SAMPLE("not.bzip2", "BZh91AY&SY"),
        SAMPLE("not.xz", "\xFD"
                         "7zXZ\0\0"),
        SAMPLE("not.zstd", "\x28\xB5\x2F\xFD\0"),
        SAMPLE("not.7z", "7z\xBC\xAF\x27\x1C\0\4"),
        SAMPLE("not.rar", "Rar!\x1A\x07\1\0"),
        SAMPLE("not.empty-zip", "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        SAMPLE("not.divided-zip", "PK\7\10PK\3\4"),
        SAMPLE("not.preview", "PYTORCH1\0\0\0\0"),
        SAMPLE("not.ptmf", "\x1C\0\0\0PTMF\0\0"),
        SAMPLE("not.tflite", "\x1C\0\0\0TFL3\0\0"),
        SAMPLE("not.gguf", "GGUF\3\0\0\0"),
        SAMPLE("not.ggml", "lmgg\0\0\0\0"),
        SAMPLE("not.hdf5", "\x89HDF\r\n\x1A\n\0"),
        SAMPLE("not.torch7", "\4\0\0\0\1\0\0\0\3\0\0\0V 1\x11\0\0\0torch.FloatTensor"),
        SAMPLE("not.safetensors", "\x38\0\0\0\0\0\0\0{\"w\":{\"dtype\":\"F32\""),
        SAMPLE("not.onnx", "\x08\x07\x12\x07pytorch\x1A\x05"),
        SAMPLE("not.coreml", "\x08\x04\x12\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        SAMPLE("not.caffe", "\x0A\x08"
                            "CaffeNet\xA2\x06\x10\0"),
        SAMPLE("not.xgboost", "{L\0\0\0\0\0\0\0\7learner"),
        SAMPLE("not.pdf", "%PDF-1.4\n"),
        SAMPLE("not.png", "\x89PNG\r\n\x1A\n"),
        SAMPLE("not.elf", "\x7F"
                          "ELF\2\1\1"),
        SAMPLE("not.unknown", "\x01\x02\x03\x04\x05\x06\x07\x08\x09"),
        SAMPLE("not.unknown", "\x80\x09\x01\x02"),
    };
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        ptio_probe result = probe(samples[i].bytes, samples[i].size);
        if (result.format != PTIO_FORMAT_FOREIGN || strcmp(result.reason, samples[i].reason) != 0)
            print_message("%s: %d %s\n", samples[i].reason, (int)result.format, result.what);
        assert_int_equal(result.format, PTIO_FORMAT_FOREIGN);
        assert_string_equal(result.reason, samples[i].reason);
        assert_true(result.status == PTIO_ERR_FORMAT || result.status == PTIO_ERR_UNSUPPORTED);
        assert_true(strlen(result.what) > 10);
    }
}

static void numbers_are_told(void **state)
{
    (void)state;
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 438007537\n";
    assert_non_null(strstr(probe(pointer, sizeof pointer - 1).what, "438007537 bytes"));
    assert_non_null(strstr(probe("\x80", 1).what, "0x80"));
    static char zeros[10240];
    assert_non_null(strstr(probe(zeros, sizeof zeros).what, "10240 bytes"));
    assert_non_null(strstr(probe("\1\2\3", 3).what, "01 02 03"));
}

static void marks_at_the_end_are_seen(void **state)
{
    (void)state;
    static char index[9000];
    memcpy(index + sizeof index - 8, "\x57\xFB\x80\x8B\x24\x75\x47\xDB", 8);
    assert_string_equal(probe(index, sizeof index).reason, "not.tensorflow-index");
    memset(index, 'x', sizeof index);
    assert_string_equal(probe(index, 5000).reason, "not.text");
}

static void expect(const char *bytes, size_t size, ptio_format format)
{
    assert_int_equal(probe(bytes, size).format, format);
}

#define EXPECT(format, bytes) expect((bytes), sizeof(bytes) - 1, (format))
#define MAGIC "\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19."

static void legacy_streams_have_a_magic_pickle(void **state)
{
    (void)state;
    EXPECT(PTIO_FORMAT_LEGACY, "\x80\x02" MAGIC "\x80\x02M\xE9\x03.");
    EXPECT(PTIO_FORMAT_LEGACY, "\x80\x03" MAGIC);
    EXPECT(PTIO_FORMAT_LEGACY, "\x80\x04\x95\x0D\0\0\0\0\0\0\0" MAGIC);
    EXPECT(PTIO_FORMAT_LEGACY, "\x80\x05\x95\x0D\0\0\0\0\0\0\0" MAGIC);
    EXPECT(PTIO_FORMAT_LEGACY, "\x80\x04" MAGIC);
    EXPECT(PTIO_FORMAT_LEGACY, "L119547037146038801333356L\n.");
    EXPECT(PTIO_FORMAT_LEGACY, "\x80\x02\x8A\x0A\x6C");
    EXPECT(PTIO_FORMAT_LEGACY, "\x80\x04\x95\x0D\0\0\0");
    EXPECT(PTIO_FORMAT_LEGACY, "L1195470371");
    EXPECT(PTIO_FORMAT_PICKLE, "\x80\x02\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x18.");
    EXPECT(PTIO_FORMAT_PICKLE, "L119547037146038801333357L\n.");
}

static void pickles_are_told_from_text(void **state)
{
    (void)state;
    EXPECT(PTIO_FORMAT_PICKLE, "\x80\x02}q\0.");
    EXPECT(PTIO_FORMAT_PICKLE, "\x80\x05");
    EXPECT(PTIO_FORMAT_PICKLE, "ccollections\nOrderedDict\np0\n(tRp1\n.");
    EXPECT(PTIO_FORMAT_PICKLE, "(dp0\nVw\np1\nctorch._utils\n_rebuild\np2\n");
    EXPECT(PTIO_FORMAT_PICKLE, "}q\0(X\1\0\0\0wq\1K\1u.");
    EXPECT(PTIO_FORMAT_PICKLE, "I42\n.");
    EXPECT(PTIO_FORMAT_PICKLE, "(lp0\nI1\naF2.5\naNa.");
    EXPECT(PTIO_FORMAT_PICKLE, "S'text'\np0\n.");
    EXPECT(PTIO_FORMAT_PICKLE, "(imodule\nclass\np0\n(dp1\nb.");
    /* made by hand, of newer opcodes without a PROTO in front of them */
    EXPECT(PTIO_FORMAT_PICKLE, "](K\1\x88\x8A\1\7e.");
    EXPECT(PTIO_FORMAT_PICKLE, "cmine\nNet\n)\x81}\x8C\1aK\1sb.");
    EXPECT(PTIO_FORMAT_PICKLE, "\x95\x0C\0\0\0\0\0\0\0\x8C\4mine\x8C\3Net\x93)\x81.");
    EXPECT(PTIO_FORMAT_PICKLE, "\x8F\x94(K\1K\2\x90.");
    EXPECT(PTIO_FORMAT_PICKLE, "NK\1\x86K\2K\3K\4\x87\x86\x85.");
    EXPECT(PTIO_FORMAT_PICKLE, "(C\1aB\2\0\0\0ab\x91Q.");
    EXPECT(PTIO_FORMAT_PICKLE, "(Pname\nN1K\1.");
    assert_int_not_equal(probe("\x86\x85\x85\x85\x85.", 6).format, PTIO_FORMAT_PICKLE);
    assert_int_not_equal(probe("\x92\x93\x94\x81..", 6).format, PTIO_FORMAT_PICKLE);
    /* A text that is longer than what is looked at; one of a text file could not have such a length. */
    char text[20000] = "X\x18\x4E\0\0";
    memset(text + 5, 'm', sizeof text - 5);
    expect(text, sizeof text, PTIO_FORMAT_PICKLE);
    text[4] = 'x';
    assert_int_not_equal(probe(text, sizeof text).format, PTIO_FORMAT_PICKLE);
    memset(text, 'm', sizeof text);
    assert_int_not_equal(probe(text, sizeof text).format, PTIO_FORMAT_PICKLE);
    text[0] = 'V'; /* a line that does not end */
    expect(text, sizeof text, PTIO_FORMAT_PICKLE);
    memcpy(text, "S'", 2);
    expect(text, sizeof text, PTIO_FORMAT_PICKLE);
    memcpy(text, "V\n", 2);
    assert_int_not_equal(probe(text, sizeof text).format, PTIO_FORMAT_PICKLE);
}

static void other_containers_are_known(void **state)
{
    (void)state;
    EXPECT(PTIO_FORMAT_ZIP, "PK\3\4");
    EXPECT(PTIO_FORMAT_NPY, "\x93NUMPY\1\0v\0{'descr'");
}

static void offsets_are_inside(void **state)
{
    (void)state;
    ptio_source *source;
    ptio_probe result;
    ptio_error err = {0};
    assert_int_equal(ptio_source_from_memory("xxPK\3\4", 6, NULL, &source, NULL), PTIO_OK);
    assert_int_equal(ptio_probe_source(source, 2, &result, NULL), PTIO_OK);
    assert_int_equal(result.format, PTIO_FORMAT_ZIP);
    assert_int_equal(ptio_probe_source(source, 6, &result, NULL), PTIO_OK);
    assert_string_equal(result.reason, "not.empty");
    assert_int_equal(ptio_probe_source(source, 7, &result, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.reason, "argument.offset");
    ptio_source_free(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_files_are_named),    cmocka_unit_test(numbers_are_told),
        cmocka_unit_test(marks_at_the_end_are_seen),  cmocka_unit_test(legacy_streams_have_a_magic_pickle),
        cmocka_unit_test(pickles_are_told_from_text), cmocka_unit_test(other_containers_are_known),
        cmocka_unit_test(offsets_are_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
