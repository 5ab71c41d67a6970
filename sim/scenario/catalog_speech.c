/* catalog_speech.c - models of speech: encoder and decoder, from an entry to struct nf_speech. */
#include "scenario/catalog_part.h"

#define WHOLE(name, member, what)                                                        \
    {                                                                                    \
        .key = (name), .kind = NF_FIELD_INT, .low = 1, .high = 1e7,                      \
        .flags = NF_REQUIRED, .offset = offsetof(struct nf__speech_entry, member),       \
        .help = (what)                                                                   \
    }
static const struct nf_field speech_fields[] = {
    WHOLE("encoder_layers", encoder_layers, "Layers of the encoder."),
    WHOLE("decoder_layers", decoder_layers, "Layers of the decoder."),
    WHOLE("hidden", hidden, "Width of both."),
    WHOLE("ffn", ffn, "Width of their feed-forward parts."),
    WHOLE("heads", heads, "Attention heads."),
    WHOLE("vocab", vocab, "Tokens that there are."),
    WHOLE("frames", frames, "Positions of the encoder for one window of sound."),
    WHOLE("bands", bands, "Bands of the spectrum, of which a position sees two columns."),
    {.key = "tokens",
     .kind = NF_FIELD_NUMBER,
     .low = 1,
     .high = 10000,
     .flags = NF_REQUIRED,
     .offset = offsetof(struct nf__speech_entry, tokens),
     .help = "Decoder steps for one window when nothing else is said."},
    NF__CITE_FIELDS(struct nf__speech_entry),
};
#undef WHOLE
const struct nf_table nf__speech_table =
    NF_TABLE("speech", "Encoder and decoder of a model of speech.",
             struct nf__speech_entry, speech_fields);

struct nf_speech nf__catalog_fold_speech(struct nf_load *load, struct nf__speech_entry *e)
{
    if (e->cite.at.node == NULL || e->cite.at.is_broken) {
        return (struct nf_speech){0};
    }
    if (e->hidden % e->heads != 0) {
        (void)nf_object_error(load, &e->cite.at, "heads", NF_E_IMPOSSIBLE, NULL,
                              "a width of %lld does not divide by %lld heads",
                              (long long)e->hidden, (long long)e->heads);
    }
    return (struct nf_speech){.encoder_layers = (unsigned)e->encoder_layers,
                              .decoder_layers = (unsigned)e->decoder_layers,
                              .hidden = (unsigned)e->hidden,
                              .ffn = (unsigned)e->ffn,
                              .heads = (unsigned)e->heads,
                              .vocab = (unsigned)e->vocab,
                              .frames = (unsigned)e->frames,
                              .bands = (unsigned)e->bands,
                              .tokens = e->tokens,
                              .published_tokens = e->tokens};
}
