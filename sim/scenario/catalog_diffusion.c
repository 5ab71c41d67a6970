/*
 * catalog_diffusion.c - models that generate pictures: their tables, and from entries to struct nf_diffusion_model.
 */
#include "scenario/catalog_part.h"

static const char *const texts[] = {"joined", "cross", NULL};

#define WHOLE(type, name, member, least, what)                                           \
    {                                                                                    \
        .key = (name), .kind = NF_FIELD_INT, .low = (least), .high = 1e7,                \
        .flags = NF_REQUIRED, .offset = offsetof(type, member), .help = (what)           \
    }
#define OF(name, member, least, what)                                                    \
    WHOLE(struct nf__denoiser_entry, name, member, least, what)
static const struct nf_field denoiser_fields[] = {
    OF("layers", layers, 0, "Transformer blocks; 0 for another kind of network."),
    OF("hidden", hidden, 0, "Width of a token."),
    OF("patch", patch, 1, "Pixels along the edge of a token."),
    OF("frame_stride", frame_stride, 1, "Frames of a latent frame; 1 for pictures."),
    OF("text_tokens", text_tokens, 0, "Tokens of the text."),
    {.key = "text",
     .kind = NF_FIELD_WORD,
     .words = texts,
     .flags = NF_REQUIRED,
     .offset = offsetof(struct nf__denoiser_entry, text),
     .help = "joined: in one sequence with the picture; cross: met by cross attention."},
    NF__CITE_FIELDS(struct nf__denoiser_entry),
};
#undef OF
const struct nf_table nf__denoiser_table =
    NF_TABLE("denoiser", "Shape of what removes the noise.", struct nf__denoiser_entry,
             denoiser_fields);

#define OF(name, member, what) WHOLE(struct nf__job_entry, name, member, 1, what)
static const struct nf_field job_fields[] = {
    OF("width", width, "Pixels."),
    OF("height", height, "Pixels."),
    OF("frames", frames, "1 for a picture."),
    OF("steps", steps, "Denoising steps."),
    OF("forwards", forwards, "Passes of the denoiser a step: 2 with guidance."),
    {.key = "offload",
     .kind = NF_FIELD_BOOL,
     .fallback = "false",
     .offset = offsetof(struct nf__job_entry, offload),
     .help = "Weights come from the host for each job."},
};
#undef OF
const struct nf_table nf__job_table =
    NF_TABLE("usual job", "What it makes when nothing else is said.",
             struct nf__job_entry, job_fields);

static double value(const struct nf__figure *f)
{
    return f->cite.at.node != NULL ? f->value : 0;
}

void nf__catalog_fold_diffusion(struct nf_load *load, struct nf__model_entry *e,
                                struct nf_diffusion_model *m,
                                struct nf_diffusion_job *job)
{
    static const double MILLION = 1e6;
    const struct nf__denoiser_entry *s = &e->denoiser;
    const struct nf__job_entry *j = &e->job;
    if (e->at.is_broken) {
        return;
    }
    *job = (struct nf_diffusion_job){.width = (unsigned)j->width,
                                     .height = (unsigned)j->height,
                                     .frames = (unsigned)j->frames,
                                     .steps = (unsigned)j->steps,
                                     .forwards = (unsigned)j->forwards,
                                     .offload = j->offload};
    *m = (struct nf_diffusion_model){.name = e->at.name,
                                     .parameters = value(&e->parameters),
                                     .token_parameters = value(&e->token_parameters),
                                     .forward_work = value(&e->forward_work),
                                     .forward_pixels =
                                         (double)j->width * (double)j->height,
                                     .layers = (unsigned)s->layers,
                                     .hidden = (unsigned)s->hidden,
                                     .patch = (unsigned)s->patch,
                                     .frame_stride = (unsigned)s->frame_stride,
                                     .text_tokens = (unsigned)s->text_tokens,
                                     .is_text_joined = s->text == 0,
                                     .text_work = value(&e->text_work),
                                     .text_weight_bytes = value(&e->text_weights),
                                     .decode_s_per_pixel = value(&e->decode) / MILLION,
                                     .weight_bytes = value(&e->weights),
                                     .token_bytes = value(&e->token_memory),
                                     .precision = (enum nf_precision)e->precision};
    bool has_layers = m->layers > 0 && m->hidden > 0 && m->token_parameters > 0;
    if (has_layers == (m->forward_work > 0)) {
        (void)nf_object_error(load, &e->at, "denoiser", NF_E_IMPOSSIBLE, NULL,
                              "expected either layers, hidden and token_parameters, or "
                              "forward_work, for %s",
                              e->at.name);
    }
    if (m->token_parameters > m->parameters) {
        (void)nf_object_error(load, &e->at, "token_parameters", NF_E_IMPOSSIBLE, NULL,
                              "a token of %s meets more parameters than there are",
                              e->at.name);
    }
}
