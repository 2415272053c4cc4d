"""A tiny config of every kind of model that transformers knows: its own defaults, with smaller numbers."""

from typing import Any, Final

from transformers import CONFIG_MAPPING

VOCABULARY: Final = 330
"""Sub-words that the embeddings have rows for."""
_BLOCKS: Final = 2

_DEPTH: Final = "num_hidden_layers n_layer n_layers num_layers num_blocks encoder_layers decoder_layers".split()
_NAMES: Final = {
    VOCABULARY: "vocab_size vocab_size_per_layer_input shape_vocab_size pronunciation_vocab_size",
    64: "intermediate_size n_inner d_inner ffn_dim dim_ff hidden_dim ffn_hidden_size ffn_intermediate_size "
    "feed_forward_size encoder_ffn_dim decoder_ffn_dim moe_intermediate_size shared_expert_intermediate_size "
    "shared_experts_intermediate_size shared_intermediate_size moe_shared_expert_intermediate_size "
    "attention_hidden_size mamba_d_ssm ngram_vocab_size_base",
    32: "hidden_size n_embd d_model dim emb_dim embedding_size embedding_dim d_embed embed_dim lru_width "
    "adapter_in_dim adapter_input_size adapter_out_dim base_channels ple_embed_dim attention_head_dim",
    16: "head_dim kv_channels v_head_dim qk_nope_head_dim qk_rope_head_dim d_head dim_head attention_head_size "
    "linear_head_dim linear_key_head_dim linear_value_head_dim mamba_d_head mamba_head_dim mamba_headdim "
    "mamba_d_state ssm_state_size state_size index_head_dim hidden_size_per_layer_input entity_emb_size hc_lowrank "
    "split_ngram_parts",
    8: "kv_lora_rank q_lora_rank o_lora_rank rotary_dim mamba_dt_rank entity_vocab_size",
    4: "num_experts n_routed_experts num_local_experts moe_num_experts mamba_n_heads mamba_num_heads n_mamba_heads",
    2: "num_attention_heads n_head n_heads num_heads attention_heads encoder_attention_heads decoder_attention_heads "
    "num_key_value_heads linear_num_heads linear_num_key_heads linear_num_value_heads "
    "index_n_heads num_experts_per_tok num_experts_per_token moe_k moe_topk "
    "num_query_groups o_groups",
    1: "n_group n_groups topk_group num_expert_group n_shared_experts num_shared_experts",
}
_SIZES: Final = {name: size for size, names in _NAMES.items() for name in names.split()}
_SPECIAL: Final = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}

_ROPE: Final = {"rope_type": "default", "rope_theta": 10000.0}
_EXPERTS: Final = {"n_routed_experts": 4, "num_experts_per_tok": 2}
_OWN: Final[dict[str, dict[str, Any]]] = {
    "bamba": {"attn_layer_indices": [1]},
    "codegen": {"n_head": 4},
    "cohere_compass_text": {"rope_parameters": {"full_attention": _ROPE}},
    "dbrx": {"attn_config": {"kv_n_heads": 1, "clip_qkv": 8, "rope_theta": 10000.0}},
    "deepseek_v2": _EXPERTS,
    "deepseek_v4": {"num_key_value_heads": 1},
    "dots1": _EXPERTS | {"n_shared_experts": 1},
    "dots3_note_text": {"layer_types": ["indexed_attention"] * 2},
    "emu3": {"vocabulary_map": {"<image>": 3, "<|extra_200|>": 4}},
    "esm": {"vocab_size": VOCABULARY, "pad_token_id": 1, "mask_token_id": 3},
    "funnel": {"block_sizes": [1, 1], "block_repeats": [1, 1], "architectures": ["FunnelModel"]},
    "gemma3n_text": {"num_kv_shared_layers": 0},
    "hunyuan_v1_dense": {"head_dim": 16},
    "hunyuan_v1_moe": {"head_dim": 16},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"], "num_dense_layers": 1},
    "lfm3": {"layer_types": ["conv", "full_attention"]},
    "mamba2": {"num_heads": 4},
    "mimo_v2_flash": {"num_attention_heads": 8},
    "ministral": {"head_dim": 16},
    "mobilebert": {"embedding_size": 16, "intra_bottleneck_size": 16},
    "nemotron": {"num_key_value_heads": 2},
    "qwen4_exp_text": {
        "indexer_n_heads": 2, "indexer_kv_heads": 1, "indexer_head_dim": 16, "indexer_budget": 16,
        "indexer_compress_ratio": 4,
    },
    "recurrent_gemma": {"block_types": ["recurrent", "attention"]},
    "reformer": {"axial_pos_embds": False},
    "rwkv": {"attention_hidden_size": 32},
    "xmod": {"default_language": "en_XX"},
    "zamba": {"num_hidden_layers": 4, "layers_block_type": ["linear_attention", "hybrid"] * 2},
    "zamba2": {"layers_block_type": ["linear_attention", "hybrid"]},
    "zaya": {"num_experts_per_tok": 1},
}  # fmt: skip
"""What a kind needs otherwise, or has no default for."""


def tiny_config(kind: str) -> Any:
    """The config of a model with two blocks, unlike each other where the kind has blocks of several kinds."""
    return CONFIG_MAPPING[kind](**_tiny(CONFIG_MAPPING[kind]))


def _tiny(config_class: Any) -> dict[str, Any]:
    default = config_class()
    values = default.to_dict()
    depth = next((values[name] for name in _DEPTH if isinstance(values.get(name), int)), None)
    found: dict[str, Any] = {}
    for name, value in values.items():
        part = getattr(default, name, None) if name in config_class.sub_configs else None
        if part is not None:
            found[name] = _tiny(type(part))
        elif isinstance(value, list) and depth is not None and len(value) == depth > _BLOCKS:
            found[name] = [value[0], next((other for other in value if other != value[0]), value[0])]
        elif isinstance(value, int) and not isinstance(value, bool) and name in _DEPTH:
            found[name] = _BLOCKS
        elif isinstance(value, int) and not isinstance(value, bool) and name in _SIZES:
            found[name] = _SIZES[name]
        elif name in _SPECIAL:
            found[name] = _SPECIAL[name]
    return found | _OWN.get(config_class.model_type, {})
