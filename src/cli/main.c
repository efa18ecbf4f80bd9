/*
 * ptio: look into checkpoints.
 *
 * One table of verbs. Exit codes: 0 good, 1 findings, 2 refused or malformed, 3 input or output failed, 4 usage, 5 a limit or
 * memory, 130 interrupted.
 */
#define _POSIX_C_SOURCE 200809L

#include "cli/cli.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli/out.h"

static const cli_verb verbs[] = {
    {"show", CLI_SHOW, "FILE [PATH]", "print a value as Python does",
     "Print what is in a checkpoint, or at a path in it, in Python's syntax.\n"
     "Objects of classes that are not part of the format are shown as\n"
     "<ptio object ...>. Nothing in the file is run.",
     "ptio show model.pt model.fc1.weight", cmd_show},
    {"ls", CLI_LS, "FILE [PATH]", "list the tensors",
     "List every tensor: name, dtype, shape, bytes, where it was if not on the\n"
     "CPU, and what it shares memory with. Then the totals; a tensor that occurs\n"
     "twice counts once.",
     "ptio ls model.pt", cmd_ls},
    {"tree", CLI_TREE, "FILE [PATH]", "show the whole value, one line each",
     "Show every value in a checkpoint, or below a path in it. With --raw the\n"
     "pickle itself: what is called with which arguments.",
     "ptio tree --json model.pt", cmd_tree},
    {"info", CLI_INFO, "FILE", "what kind of file it is",
     "Tell the container, the releases that write such files, byte order,\n"
     "versions, and what there is in the file.",
     "ptio info model.pt", cmd_info},
    {"dis", CLI_DIS, "FILE", "disassemble the pickle",
     "Show the opcodes of the pickle, with offset and depth of the stack. Works\n"
     "on files that do not load.",
     "ptio dis model.pt", cmd_dis},
    {"check", CLI_CHECK, "FILE", "is the file whole? is it safe?",
     "Read everything and compare it: headers, checksums, sizes, bounds. Tell\n"
     "what torch.load(weights_only=True) would refuse, all of it at once, and the\n"
     "line of Python that allows it. Exits with 0 if the file is whole and would\n"
     "load, 1 with findings, 2 if it is damaged.",
     "ptio check model.pt", cmd_check},
    {"get", CLI_GET, "FILE [NAME]", "one value, for other programs",
     "Give the value that \"ptio ls\" or \"ptio tree\" calls NAME, or what is at a\n"
     "path: as Python prints it, or in the form that an option asks for. Of a slice\n"
     "only what it needs is read, and elements pass in pieces: memory does not grow\n"
     "with the tensor. Bytes and texts come as they are with --raw.",
     "ptio get model.pt fc1.weight --npy > w.npy", cmd_get},
    {"stats", CLI_STATS, "FILE [PATH]", "min, max, mean, std of each tensor",
     "Look at all numbers of each tensor: the smallest and largest, mean, standard\n"
     "deviation (unbiased, as torch.std), and how many are 0, NaN, infinite. Memory\n"
     "does not grow with the file. As in PyTorch a NaN makes the others NaN;\n"
     "--finite leaves out what is not finite. A GLOB is about names of \"ptio ls\",\n"
     "and takes what is below them too.",
     "ptio stats --select '*.weight' model.pt", cmd_stats},
    {"diff", CLI_DIFF, "A B [PATH]", "how two checkpoints differ",
     "Compare two checkpoints of any kind, or what both have at PATH: which keys only\n"
     "one of them has, shapes, dtypes, and elements: how many differ, the largest\n"
     "differences and where, and whether torch.allclose() would be content. Other\n"
     "values are compared as Python's == does it. Without --rtol and --atol every bit\n"
     "counts; with one of them close is equal. Exits with 0 if they are equal, 1 if\n"
     "they differ. A GLOB takes what has the name and what is below it.",
     "ptio diff --drop optimizer monday.pt tuesday.pt", cmd_diff},
    {"save", CLI_SAVE, "IN OUT", "write a checkpoint again, as torch.save would",
     "Load IN and write OUT: the same bytes as torch.save(torch.load(IN), OUT).\n"
     "Files of every era become zip files of today; --profile keep writes IN\n"
     "again as it was. OUT is replaced all or nothing.\n\n"
     "On the way entries of dicts may be taken out, renamed, cast and added. Names\n"
     "are those of \"ptio ls\": the keys from the root, joined by dots. In a GLOB, *\n"
     "stands for anything, dots too; it is about names in IN. Options that change\n"
     "may stand more than once; renames are done in their order.",
     "ptio save --strip-prefix module. --cast bfloat16 train.pt model.pt", cmd_save},
    {"new", CLI_NEW, "OUT NAME=FILE ...", "make a state dict of arrays",
     "Write a dict with a tensor for each NAME: the array of a .npy file, or a\n"
     "tensor of a checkpoint, FILE:PATH. torch.load(weights_only=True) loads it.",
     "ptio new model.pt fc.weight=w.npy fc.bias=old.pt:model.fc.bias", cmd_new},
};

static int usage(void)
{
    out_string("usage: ptio VERB [OPTIONS] FILE\n\n"
               "Look into PyTorch checkpoints (.pt, .pth, .bin, .ckpt) without running them.\n\n");
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        out_string("  ");
        out_string(verbs[i].name);
        out_spaces(8 - strlen(verbs[i].name));
        out_string(verbs[i].summary);
        out_char('\n');
    }
    out_string("\n\"ptio VERB --help\" tells more. \"ptio --version\" tells the version.\n\nexample:\n  ptio ls model.pt\n");
    return CLI_GOOD;
}

static int version(void)
{
    out_string("ptio ");
    out_string(ptio_version());
    out_char('\n');
    return CLI_GOOD;
}

static volatile sig_atomic_t interrupts, waits;

/* A save that is told so removes its temporary file; the second time nobody waits for it. */
static void interrupted(int signal_number)
{
    (void)signal_number;
    if (!waits || interrupts++)
        _exit(CLI_INTERRUPTED);
}

bool cli_interrupted(void)
{
    return interrupts > 0;
}

void cli_wait_when_interrupted(bool wait)
{
    waits = wait;
}

static int run(const cli_verb *verb, int count, char **arguments)
{
    cli_options options;
    int code = cli_parse(verb, count, arguments, &options);
    if (code != CLI_GOOD)
        return code;
    out_set_colors(options.color);
    return options.help ? cli_help(verb) : verb->run(&options);
}

static int choose(int count, char **arguments)
{
    if (count < 2)
        return cli_usage(NULL, "a verb is missing", NULL);
    const char *name = arguments[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        return usage();
    if (strcmp(name, "--version") == 0)
        return version();
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return run(&verbs[i], count - 2, arguments + 2);
    return cli_usage(NULL, name[0] == '-' ? "there is no option" : "there is no verb", name);
}

int main(int count, char **arguments)
{
    (void)signal(SIGINT, interrupted);
    (void)signal(SIGPIPE, SIG_IGN); /* a reader that has enough is no error: out.c stops quietly */
    (void)signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files fails as a full disk does, and leaves no temporary file */
    return out_end(choose(count, arguments));
}
