#include "perf/device.h"

#include <criterion/criterion.h>

Test(device, names_and_sizes_of_precisions)
{
    cr_assert_str_eq(nf_precision_name(NF_BF16), "bf16");
    cr_assert_str_eq(nf_precision_name(NF_INT4), "int4");
    cr_assert_eq(nf_precision_bytes(NF_FP8), 1.0);
    cr_assert_eq(nf_precision_bytes(NF_INT4), 0.5);
    cr_assert_eq(nf_precision_bytes(NF_TF32), 4.0);
    cr_assert_str_eq(nf_provenance_name(NF_ASSUMED), "assumed");
}

Test(device, computes_in_fp16_where_bf16_is_missing)
{
    struct nf_device t4 = {.name = "T4", .peak = {[NF_FP16] = 65.13e12}};
    struct nf_device l4 = {.name = "L4",
                           .peak = {[NF_FP16] = 121e12, [NF_BF16] = 121e12}};
    cr_assert_eq(nf_device_half(&t4), NF_FP16);
    cr_assert_eq(nf_device_half(&l4), NF_BF16);
}

Test(device, is_known_by_the_start_of_a_name)
{
    struct nf_device a100 = {.name = "A100"}, pcie = {.name = "A100-PCIe"};
    struct nf_device l4 = {.name = "L4"};
    cr_assert(nf_device_is_named(&a100, "a100_sxm_gemm.csv"));
    cr_assert(nf_device_is_named(&pcie, "a100_pcie"));
    cr_assert_not(nf_device_is_named(&pcie, "a100_sxm"));
    cr_assert_not(nf_device_is_named(&l4, "l40s_gemm.csv"));
    cr_assert_not(nf_device_is_named(&a100, "a10"));
}

Test(device, is_known_by_what_a_runtime_calls_it)
{
    static const struct {
        const char *device, *runtime;
        bool is_same;
    } cases[] = {{"H100", "NVIDIA H100 80GB HBM3", true},
                 {"H100", "NVIDIA H100 PCIe", false},
                 {"H100-PCIe", "NVIDIA H100 PCIe", true},
                 {"H100-PCIe", "NVIDIA H100 80GB HBM3", false},
                 {"A100", "NVIDIA A100-SXM4-80GB", true},
                 {"A100-PCIe", "NVIDIA A100 80GB PCIe", true},
                 {"A10", "NVIDIA A100-SXM4-80GB", false},
                 {"L4", "NVIDIA L40S", false},
                 {"L4", "NVIDIA L4", true},
                 {"RTX4090", "NVIDIA GeForce RTX 4090", true},
                 {"T4", "Tesla T4", true},
                 {"Jetson-Orin-NX", "Orin", true},
                 {"H100", "NVIDIA H100 NVL", false},
                 {"H200", "NVIDIA H200 NVL", false},
                 {"H200", "NVIDIA GH200 480GB", false},
                 {"H200", "NVIDIA H200 MIG 1g.18gb", false},
                 {"H100-PCIe", "NVIDIA H100 NVL", false},
                 {"RTX4090", "NVIDIA GeForce RTX 4090 Laptop GPU", false},
                 {"RTX4090", "NVIDIA GeForce RTX 4090 D", false},
                 {"A100", "NVIDIA A100-SXM4-40GB", true}, /* its memory differs */
                 {"H200", "", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct nf_device d = {.name = cases[i].device};
        cr_assert_eq(nf_device_is_called(&d, cases[i].runtime), cases[i].is_same,
                     "%s: %s", cases[i].device, cases[i].runtime);
    }
}
