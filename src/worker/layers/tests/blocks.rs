//! What layers do together: padding that changes nothing, frozen bases, skips from tower to tower.

use super::*;
use kilter::nn::Base;

fn tokens(seq: u64) -> FeatureType {
    FeatureType { padding: Some(0), ..feature("x", &[seq], TensorType::I64) }
}

/// Rows of different lengths, the longest as long as `seq` allows, filled up with 0.
fn rows(seq: usize) -> Tensor {
    let rows: [&[i64]; 4] = [&[3, 1, 4, 1, 5], &[2, 6], &[5], &[]];
    let padded: Vec<i64> = rows
        .iter()
        .flat_map(|row| row.iter().copied().chain(std::iter::repeat_n(0, seq - row.len())).collect::<Vec<_>>())
        .collect();
    Tensor::from_slice(&padded).reshape([4, seq as i64])
}

#[test]
fn more_padding_changes_nothing() {
    let _turn = seeded(10);
    let stacks = [
        json!([{ "transformer_encoder": { "heads": 2, "layers": 2, "feedforward": 12 } }]),
        json!([{ "transformer_encoder": { "heads": 2, "norm": "pre", "rotary": true } }, "layer_norm"]),
        json!([{ "transformer_decoder": { "heads": 2 } }]),
        json!([{ "transformer_encoder": { "heads": 4, "kv_heads": 2, "rotary": true } }]),
        json!([{ "residual": [{ "linear": 8 }, { "multi_head_attention": 4 }] }, "relu", { "linear": 8 }]),
        json!([{ "gru": { "hidden": 4, "layers": 2, "bidirectional": true, "output": "sequence" } }]),
        json!([{ "save": "m" }, "relu", { "transformer_decoder": { "heads": 2, "memory": "m" } }]),
    ];
    let ends = ["mean", "max", "last", "cls"].map(|over| json!([{ "pool": over }, { "linear": 3 }]));
    let states =
        ["rnn", "lstm", "gru"].map(|kind| json!([{ kind: { "hidden": 4, "layers": 2, "bidirectional": true } }]));
    let mut all: Vec<serde_json::Value> = states.to_vec();
    all.extend(stacks.iter().flat_map(|stack| {
        ends.iter().map(|end| {
            [stack.as_array().expect("layers").clone(), end.as_array().expect("layers").clone()].concat().into()
        })
    }));
    for stack in all {
        let start = json!([{ "embedding": 8 }, { "position": { "kind": "learned", "count": 11 } }]);
        let list = [start.as_array().expect("layers").clone(), stack.as_array().expect("layers").clone()].concat();
        let build = |seq| {
            Architecture::new(vec![tokens(seq)], Vec::new(), Join::Concat, layers(list.clone().into()), None)
                .expect("sound")
        };
        let (short, mut long) = (Built::new(&build(5)), Built::new(&build(11)));
        long.vs.copy(&short.vs).expect("the same parameters");
        let (a, b) = (short.forward(&rows(5), false), long.forward(&rows(11), false));
        // The last row is padding alone: it counts as one token, whatever else is there.
        let difference = (a - b).abs().max().double_value(&[]);
        assert!(difference < 1e-5, "{stack}: {difference:e}");
    }
}

#[test]
fn a_sequence_longer_than_the_places_is_refused() {
    let _turn = seeded(11);
    let list = layers(json!([{ "embedding": 8 }, { "position": "learned" }, { "pool": "mean" }]));
    let built = Built::new(&Architecture::new(vec![tokens(5)], Vec::new(), Join::Concat, list, None).expect("sound"));
    assert_eq!(built.forward(&rows(5), false).size(), [4, 8]);
    let inputs = BTreeMap::from([("x".to_owned(), rows(7))]);
    let error = built.network.forward(&inputs, false).expect_err("too long").to_string();
    assert!(error.contains("a sequence of 7 is longer than the 5 places that `position` knows"), "{error}");
}

#[test]
fn a_frozen_base_computes_as_in_prediction() {
    let _turn = seeded(12);
    let list = json!([{ "linear": 6 }, "batch_norm", { "dropout": 0.5 }, { "linear": 4 }, { "dropout": 0.5 }]);
    let mut network = one_input(&[5], list);
    network.base = Some(Base { layers: 3, frozen: true });
    let built = Built::new(&network);
    let x = Tensor::randn([8, 5], (Kind::Float, Device::Cpu));
    let before: BTreeMap<String, Tensor> =
        built.vs.variables().into_iter().map(|(name, value)| (name, value.detach().copy())).collect();
    let (a, b) = (built.forward(&x, true), built.forward(&x, true));
    assert!(!a.equal(&b), "the head still drops");
    for (name, value) in built.variables() {
        assert!(value.detach().equal(&before[&name]), "{name}");
    }
    // Where the head keeps an element, it is that of prediction, scaled.
    let predicted = built.forward(&x, false);
    let difference = ((&a - &predicted * 2) * a.ne(0.0)).abs().max().double_value(&[]);
    assert!(difference < 1e-5, "{difference:e}");
}

#[test]
fn towers_are_joined_and_see_what_was_saved_before() {
    let _turn = seeded(13);
    let tower = |name: &str, value| Tower { name: name.to_owned(), input: name.to_owned(), layers: layers(value) };
    let inputs = vec![feature("source", &[3, 4], TensorType::F32), feature("target", &[2, 4], TensorType::F32)];
    let towers = vec![
        tower("source", json!([{ "linear": 8 }, { "save": "memory" }])),
        tower("target", json!([{ "linear": 8 }, { "multi_head_attention": { "heads": 2, "memory": "memory" } }])),
    ];
    let network =
        Architecture::new(inputs, towers, Join::Concat, layers(json!([{ "linear": 2 }])), None).expect("sound");
    let built = Built::new(&network);
    let draw = |seq: i64| Tensor::randn([3, seq, 4], (Kind::Float, Device::Cpu));
    let mut batch = BTreeMap::from([("source".to_owned(), draw(3)), ("target".to_owned(), draw(2))]);
    let first = built.network.forward(&batch, false).expect("a forward pass");
    assert_eq!(first.size(), [3, 2]);
    batch.insert("source".to_owned(), draw(3));
    assert!(!first.equal(&built.network.forward(&batch, false).expect("a forward pass")));

    let inputs = || vec![feature("a", &[3], TensorType::F32), feature("b", &[3], TensorType::F32)];
    let towers = || vec![tower("a", json!([])), tower("b", json!([]))];
    let batch = BTreeMap::from([
        ("a".to_owned(), tensor(&[1.0, 2.0, 3.0], &[1, 3])),
        ("b".to_owned(), tensor(&[4.0, 5.0, 6.0], &[1, 3])),
    ]);
    let joined = |join| {
        let network = Architecture::new(inputs(), towers(), join, layers(json!([])), None).expect("sound");
        list(&Built::new(&network).network.forward(&batch, false).expect("a forward pass"))
    };
    assert_eq!(joined(Join::Concat), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(joined(Join::Sum), [5.0, 7.0, 9.0]);
    assert_eq!(joined(Join::Product), [4.0, 10.0, 18.0]);
    assert_eq!(joined(Join::Dot), [32.0]);
}

/// libtorch's numbers for the ways it has: 0 is the formula written out, 1 the fused kernel (on the CPU its only one).
#[test]
fn attention_runs_in_the_fused_kernel() {
    let _turn = seeded(14);
    let draw = || Tensor::randn([2, 3, 5, 8], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    let (query, key, value) = (draw(), draw(), draw());
    let mask = crate::layers::pass::Mask::of(&rows(5).narrow(0, 0, 2), 0).expect("a mask").seen().expect("broadcast");
    let way = |mask: Option<&Tensor>, dropout, causal| {
        Tensor::f_internal_fused_sdp_choice(&query, &key, &value, mask, dropout, causal, None, false).expect("a way")
    };
    assert_eq!(way(None, 0.0, false), 1);
    assert_eq!(way(None, 0.0, true), 1);
    assert_eq!(way(Some(&mask), 0.0, false), 1);
    // What the reference says of `attention_dropout`.
    assert_eq!(way(None, 0.1, false), 0);
}

#[test]
fn channels_stay_last() {
    let _turn = seeded(15);
    for list in [
        json!([{ "conv_transpose2d": { "out": 4, "kernel": 2, "stride": 2 } }]),
        json!([{ "upsample": 2 }]),
        json!([{ "upsample": { "size": [9, 5], "mode": "bilinear" } }]),
        json!([{ "group_norm": 2 }]),
        json!([{ "prelu": 4 }]),
        json!([{ "adaptive_avg_pool2d": [3, 2] }]),
        json!([{ "adaptive_avg_pool2d": [4, 5] }]),
        json!([{ "adaptive_max_pool2d": 3 }]),
        json!([{ "save": "x" }, { "conv2d": { "out": 4, "kernel": 3, "padding": 1 } }, "silu", { "concat": "x" }]),
        json!([{ "parallel": [[{ "conv2d": { "out": 4, "kernel": 1 } }], []] }, "hardswish"]),
    ] {
        let built = Built::new(&one_input(&[4, 6, 8], list.clone()));
        let x = Tensor::randn([2, 6, 8, 4], (Kind::Float, Device::Cpu)).permute([0, 3, 1, 2]);
        let y = built.forward(&x, true);
        assert_eq!(y.stride()[1], 1, "{list}: {:?} with strides {:?}", y.size(), y.stride());
    }
}
