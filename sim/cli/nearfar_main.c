#include "cli/cli.h"

int main(int argc, char **argv)
{
    return nf_cli_main(argc, argv);
}
