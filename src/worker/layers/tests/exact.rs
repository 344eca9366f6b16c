//! Exact numbers, layer by layer: worked out by hand, from the formula, or known of PyTorch.

use super::*;

#[test]
fn linear_and_activations() {
    let _turn = seeded(16);
    let linear = Built::with(
        &[2],
        json!([{ "linear": 2 }]),
        &[("layers.0.weight", &[1.0, 2.0, 3.0, 4.0]), ("layers.0.bias", &[0.5, -0.5])],
    );
    assert_eq!(linear.values(&tensor(&[1.0, -1.0], &[1, 2])), [-0.5, -1.5]);
    let x = tensor(&[-2.0, 0.0, 1.0], &[1, 3]);
    let of = |name: &str| Built::with(&[3], json!([name]), &[]).values(&x);
    assert_eq!(of("relu"), [0.0, 0.0, 1.0]);
    close(&of("tanh"), &[-0.964_027_58, 0.0, 0.761_594_16]);
    close(&of("sigmoid"), &[0.119_202_92, 0.5, 0.731_058_58]);
    // Φ(-2) = 0.0227501, Φ(1) = 0.8413447
    close(&of("gelu"), &[-0.045_500_26, 0.0, 0.841_344_75]);
    let tanh_gelu = Built::with(&[3], json!([{ "gelu": { "approximate": "tanh" } }]), &[]).values(&x);
    close(&tanh_gelu, &[-0.045_402_3, 0.0, 0.841_192]);
    assert_eq!(of("prelu"), [-0.5, 0.0, 1.0]);
    let channels = Built::with(&[3], json!([{ "prelu": 3 }]), &[("layers.0.weight", &[0.5, 1.0, 2.0])]);
    assert_eq!(channels.values(&x), [-1.0, 0.0, 1.0]);
    let sum = (-2_f64).exp() + 1.0 + 1_f64.exp();
    close(&of("softmax"), &[(-2_f64).exp() / sum, 1.0 / sum, 1_f64.exp() / sum]);
}

#[test]
fn convolutions_and_pools() {
    let _turn = seeded(17);
    let x = tensor(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], &[1, 1, 3, 3]);
    let conv = Built::with(
        &[1, 3, 3],
        json!([{ "conv2d": { "out": 1, "kernel": 2 } }]),
        &[("layers.0.weight", &[1.0, 0.0, 0.0, -1.0]), ("layers.0.bias", &[0.5])],
    );
    assert_eq!(conv.values(&x), [-3.5; 4]);
    let over = |layer: serde_json::Value| Built::with(&[1, 3, 3], json!([layer]), &[]).values(&x);
    assert_eq!(over(json!({ "max_pool2d": 2 })), [5.0]);
    assert_eq!(over(json!({ "max_pool2d": { "kernel": 2, "stride": 1 } })), [5.0, 6.0, 8.0, 9.0]);
    assert_eq!(over(json!({ "avg_pool2d": 2 })), [3.0]);
    assert_eq!(over(json!({ "max_pool2d": { "kernel": 2, "ceil_mode": true } })), [5.0, 6.0, 8.0, 9.0]);
    assert_eq!(over(json!({ "avg_pool2d": { "kernel": 2, "ceil_mode": true } })), [3.0, 4.5, 7.5, 9.0]);
    assert_eq!(over(json!({ "avg_pool2d": { "kernel": 2, "padding": 1 } })), [0.25, 1.25, 2.75, 7.0]);
    assert_eq!(
        over(json!({ "avg_pool2d": { "kernel": 2, "padding": 1, "count_include_pad": false } })),
        [1.0, 2.5, 5.5, 7.0]
    );
    assert_eq!(over(json!("global_avg_pool")), [5.0]);
    assert_eq!(over(json!({ "upsample": { "size": [2, 4] } })), [1.0, 1.0, 2.0, 3.0, 4.0, 4.0, 5.0, 6.0]);
    let corners = json!({ "upsample": { "size": 2, "mode": "bilinear", "align_corners": true } });
    assert_eq!(over(corners), [1.0, 3.0, 7.0, 9.0]);
    let sequence = tensor(&[1.0, 2.0, 4.0, 8.0], &[1, 1, 4]);
    let along = |layer: serde_json::Value, parameters: &[(&str, &[f32])]| {
        Built::with(&[1, 4], json!([layer]), parameters).values(&sequence)
    };
    let difference = json!({ "conv1d": { "out": 1, "kernel": 2, "dilation": 2, "bias": false } });
    assert_eq!(along(difference, &[("layers.0.weight", &[-1.0, 1.0])]), [3.0, 6.0]);
    assert_eq!(along(json!({ "max_pool1d": 2 }), &[]), [2.0, 8.0]);
    assert_eq!(along(json!({ "avg_pool1d": 3 }), &[]), [7.0 / 3.0]);
    assert_eq!(along(json!({ "upsample": 2 }), &[]), [1.0, 1.0, 2.0, 2.0, 4.0, 4.0, 8.0, 8.0]);
    let between = along(json!({ "upsample": { "scale_factor": 2, "mode": "linear" } }), &[]);
    assert_eq!(between, [1.0, 1.25, 1.75, 2.5, 3.5, 5.0, 7.0, 8.0]);
}

#[test]
fn norms() {
    let _turn = seeded(18);
    let x = tensor(&[1.0, 2.0, 3.0, 6.0], &[2, 2]);
    let batch =
        Built::with(&[2], json!(["batch_norm"]), &[("layers.0.weight", &[2.0, 1.0]), ("layers.0.bias", &[0.0, 1.0])]);
    // Channel 0 is 1, 3: mean 2, variance 1. Channel 1 is 2, 6: mean 4, variance 4.
    close(&list(&batch.forward(&x, true)), &[-2.0, 0.0, 2.0, 2.0].map(|y| y + 0.0));
    let running = batch.vs.variables();
    close(&list(&running["layers.0.running_mean"]), &[0.2, 0.4]);
    // The running variance takes the unbiased one: 0.9 + 0.1 · 2, 0.9 + 0.1 · 8.
    close(&list(&running["layers.0.running_var"]), &[1.1, 1.7]);
    let expected = [
        2.0 * 0.8 / 1.1_f64.sqrt(),
        1.0 + 1.6 / 1.7_f64.sqrt(),
        2.0 * 2.8 / 1.1_f64.sqrt(),
        1.0 + 5.6 / 1.7_f64.sqrt(),
    ];
    close(&batch.values(&x), &expected);
    let single = batch.network.forward(&BTreeMap::from([("x".to_owned(), x.narrow(0, 0, 1))]), true);
    assert!(single.expect_err("one value per channel").to_string().contains("batch_norm has one value per channel"));
    let layer = Built::with(&[2], json!(["layer_norm"]), &[]);
    close(&layer.values(&x), &[-0.999_98, 0.999_98, -1.0, 1.0]);
}

#[test]
fn shapes_embeddings_and_blocks() {
    let _turn = seeded(19);
    let x = tensor(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[1, 2, 3]);
    for layer in [json!("flatten"), json!({ "reshape": [3, 2] })] {
        assert_eq!(Built::with(&[2, 3], json!([layer]), &[]).values(&x), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }
    let block = Built::with(
        &[1],
        json!([{ "residual": [{ "linear": { "out": 1, "bias": false } }] }]),
        &[("layers.0.layers.0.weight", &[3.0])],
    );
    assert_eq!(block.values(&tensor(&[2.0], &[1, 1])), [8.0]);
    let input = feature("x", &[], TensorType::I64);
    let network = Architecture::new(vec![input], Vec::new(), Join::Concat, layers(json!([{ "embedding": 2 }])), None)
        .expect("sound");
    let embedding = Built::new(&network);
    embedding.set("layers.0.weight", &(0..14).map(|i| i as f32).collect::<Vec<_>>());
    assert_eq!(embedding.values(&Tensor::from_slice(&[3_i64, 0])), [6.0, 7.0, 0.0, 1.0]);
}

#[test]
fn dropout_scales_what_it_keeps() {
    let _turn = seeded(4);
    let dropout = Built::with(&[1000], json!([{ "dropout": 0.25 }]), &[]);
    let x = Tensor::ones([1, 1000], (Kind::Float, Device::Cpu));
    assert_eq!(dropout.values(&x), [1.0; 1000]);
    let trained = list(&dropout.forward(&x, true));
    let kept = trained.iter().filter(|value| **value != 0.0).count();
    assert!((700..800).contains(&kept), "{kept}");
    close(&trained.into_iter().filter(|value| *value != 0.0).collect::<Vec<_>>(), &vec![4.0 / 3.0; kept]);
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[test]
fn recurrent_layers_follow_their_formulas() {
    let _turn = seeded(20);
    let xs = [1.0, -0.5, 2.0];
    let x = tensor(&xs.map(|x| x as f32), &[1, 3, 1]);
    let (wi, wh, bi, bh) =
        ([0.5, -0.3, 0.8, 0.2], [0.1, 0.4, -0.6, 0.7], [0.05, 0.1, -0.1, 0.2], [0.0, -0.2, 0.3, 0.1]);
    let run = |name: &str, gates: usize| {
        let cast = |values: [f64; 4]| values.map(|value| value as f32);
        let built = Built::with(
            &[3, 1],
            json!([{ name: { "hidden": 1, "output": "sequence" } }]),
            &[
                ("layers.0.weight_ih_l0", &cast(wi)[..gates]),
                ("layers.0.weight_hh_l0", &cast(wh)[..gates]),
                ("layers.0.bias_ih_l0", &cast(bi)[..gates]),
                ("layers.0.bias_hh_l0", &cast(bh)[..gates]),
            ],
        );
        built.values(&x)
    };
    let gate = |i: usize, x: f64, h: f64| wi[i] * x + bi[i] + wh[i] * h + bh[i];
    let (mut rnn, mut gru, mut lstm, mut cell) = (0.0, 0.0, 0.0, 0.0);
    let (mut rnns, mut grus, mut lstms) = (vec![], vec![], vec![]);
    for x in xs {
        rnn = gate(0, x, rnn).tanh();
        rnns.push(rnn);
        let (reset, update) = (sigmoid(gate(0, x, gru)), sigmoid(gate(1, x, gru)));
        let new = (wi[2] * x + bi[2] + reset * (wh[2] * gru + bh[2])).tanh();
        gru = (1.0 - update) * new + update * gru;
        grus.push(gru);
        cell = sigmoid(gate(1, x, lstm)) * cell + sigmoid(gate(0, x, lstm)) * gate(2, x, lstm).tanh();
        let out = sigmoid(wi[3] * x + bi[3] + wh[3] * lstm + bh[3]);
        lstm = out * cell.tanh();
        lstms.push(lstm);
    }
    close(&run("rnn", 1), &rnns);
    close(&run("gru", 3), &grus);
    close(&run("lstm", 4), &lstms);
}

#[test]
fn the_last_state_of_both_directions_is_where_each_ends() {
    let _turn = seeded(5);
    let both =
        |output: &str| json!([{ "lstm": { "hidden": 2, "layers": 2, "bidirectional": true, "output": output } }]);
    let (last, sequence) =
        (Built::new(&one_input(&[4, 3], both("last"))), Built::new(&one_input(&[4, 3], both("sequence"))));
    for (name, variable) in sequence.vs.variables().into_iter().collect::<BTreeMap<_, _>>() {
        last.set(&name, &list(&variable));
    }
    let x = Tensor::randn([2, 4, 3], (Kind::Float, Device::Cpu));
    let states = sequence.forward(&x, false);
    let forwards = states.select(1, 3).narrow(1, 0, 2);
    let backwards = states.select(1, 0).narrow(1, 2, 2);
    let expected = list(&Tensor::cat(&[forwards, backwards], 1));
    close(&last.values(&x), &expected.iter().map(|x| f64::from(*x)).collect::<Vec<_>>());
}

#[test]
fn parameters_start_as_in_pytorch() {
    let turn = seeded(0);
    let built = Built::new(&one_input(&[2], json!([{ "linear": 2 }])));
    drop(turn);
    let start = built.vs.variables();
    // torch.manual_seed(0); torch.nn.Linear(2, 2)
    let weight = list(&start["layers.0.weight"]);
    let expected = [-0.005_3, 0.379_3, -0.582_0, -0.520_4];
    assert!(weight.iter().zip(expected).all(|(a, b)| (a - b).abs() < 5e-5), "{weight:?}");
    let bias = list(&start["layers.0.bias"]);
    assert!(bias.iter().zip([-0.272_3, 0.189_6]).all(|(a, b)| (a - b).abs() < 5e-5), "{bias:?}");
}
