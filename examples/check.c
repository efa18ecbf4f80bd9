/* Is a file whole, and does it hold what PyTorch's weights_only refuses? check FILE */
#include <ptio.h>

#include <inttypes.h>

static void print_finding(const ptio_finding *finding)
{
    static const char *const severity[] = {"note", "warning", "refused"};
    printf("%s: %s", severity[finding->severity], finding->reason);
    if (finding->record.size)
        printf(" in %.*s", (int)finding->record.size, finding->record.bytes);
    if (finding->offset != PTIO_NO_OFFSET)
        printf(" at byte %" PRIu64, finding->offset);
    printf(": %.*s\n", (int)finding->message.size, finding->message.bytes);
}

int main(int argc, char **argv)
{
    ptio_error err = {0};
    ptio_report *report = NULL;
    ptio_check_result result = {0};
    if (argc != 2)
        return fprintf(stderr, "usage: %s FILE\n", argv[0]), 2;
    if (ptio_report_new(NULL, &report, &err) == PTIO_OK)
        ptio_check(argv[1], &(ptio_load_options){PTIO_LOAD_OPTIONS, .report = report}, &result, &err);
    if (err.status) { /* the file could not be checked: what is wrong with the file itself is in the report */
        fprintf(stderr, "%s: %s\n", argv[1], err.message);
    } else {
        for (size_t i = 0; i < ptio_report_count(report); i++)
            print_finding(ptio_report_finding(report, i));
        printf("%s: %" PRIu64 " bytes read, %" PRIu64 " records verified; weights_only %s it\n",
               ptio_verdict_name(result.verdict), result.bytes_read, result.records_verified,
               result.weights_only_loads ? "takes" : "refuses");
    }
    ptio_report_free(report);
    return err.status || result.verdict != PTIO_WHOLE ? 1 : 0;
}
