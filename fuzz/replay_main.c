/*
 * A main() for the fuzz targets where there is no libFuzzer: runs the target over the files that are named, or lie in the
 * folders that are named, so that every compiler and machine sees every seed and every past finding again.
 *
 *     fuzz_zip fuzz/corpus/zip some-file
 *
 * A folder that is not there holds no files. The empty input is always tried.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long passed, failed;

/* The whole of an open file, in memory of exactly its size, so that sanitizers see a read beyond it. */
static uint8_t *read_all(FILE *file, size_t *size)
{
    if (fseek(file, 0, SEEK_END))
        return NULL;
    long end = ftell(file);
    if (end < 0 || fseek(file, 0, SEEK_SET))
        return NULL;
    uint8_t *data = malloc(end ? (size_t)end : 1);
    if (data && fread(data, 1, (size_t)end, file) == (size_t)end) {
        *size = (size_t)end;
        return data;
    }
    free(data);
    return NULL;
}

static void replay_file(const char *path)
{
    size_t size = 0;
    FILE *file = fopen(path, "rb");
    uint8_t *data = file ? read_all(file, &size) : NULL;
    if (file)
        (void)fclose(file);
    if (!data) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        failed++;
        return;
    }
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    passed++;
}

static void replay(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder) {
        if (errno != ENOENT)
            replay_file(path);
        return;
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        char inside[4096];
        int length = snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' && length > 0 && (size_t)length < sizeof inside)
            replay_file(inside);
    }
    (void)closedir(folder);
}

int main(int argc, char **argv)
{
    (void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    passed++;
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%lu passed, %lu failed\n", passed, failed);
    return failed ? 1 : 0;
}
