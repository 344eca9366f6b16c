//! A graph under construction.

use super::message::{
    AttributeProto, Dimension, DimensionValue, FLOAT, GraphProto, INT64, NodeProto, TensorProto, TensorShapeProto,
    TensorTypeProto, TypeProto, ValueInfoProto,
};
use super::{Refusal, Weights};

/// An attribute of a node.
pub(super) enum Attribute<'a> {
    Float(f64),
    Int(i64),
    Text(&'a str),
    Ints(Vec<i64>),
}

/// A graph under construction; every value has a name of its own.
#[derive(Default)]
pub(super) struct Graph {
    proto: GraphProto,
    values: usize,
}

impl Graph {
    /// Adds an operation and gives the name of its first output.
    pub fn node(&mut self, op: &str, inputs: &[&str], attributes: &[(&str, Attribute<'_>)]) -> String {
        self.node_with(op, inputs, attributes, 1).swap_remove(0)
    }

    /// Adds an operation of several outputs and gives their names.
    pub fn node_with(
        &mut self,
        op: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute<'_>)],
        outputs: usize,
    ) -> Vec<String> {
        let first = self.values;
        self.values += outputs;
        let outputs: Vec<String> = (first..self.values).map(|number| format!("value_{number}")).collect();
        self.proto.node.push(NodeProto {
            input: inputs.iter().map(|name| (*name).to_owned()).collect(),
            output: outputs.clone(),
            name: format!("{}_{first}", op.to_lowercase()),
            op_type: op.to_owned(),
            attribute: attributes.iter().map(|(name, value)| attribute(name, value)).collect(),
        });
        outputs
    }

    /// Adds a weight of the model under its own name.
    pub fn weight(&mut self, name: &str, weights: &Weights) -> Result<String, Refusal> {
        let (dims, data) = weights.get(name).ok_or_else(|| Refusal(format!("the weights `{name}` are missing")))?;
        self.tensor(name, dims.clone(), FLOAT, data.clone());
        Ok(name.to_owned())
    }

    /// Adds numbers under a name.
    pub fn floats(&mut self, name: &str, dims: Vec<i64>, values: &[f32]) -> String {
        self.tensor(name, dims, FLOAT, values.iter().flat_map(|value| value.to_le_bytes()).collect());
        name.to_owned()
    }

    /// Adds a list of integers, such as a shape.
    pub fn ints(&mut self, values: &[i64]) -> String {
        let name = format!("ints_{}", self.values);
        self.values += 1;
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor(&name, vec![values.len() as i64], INT64, data);
        name
    }

    fn tensor(&mut self, name: &str, dims: Vec<i64>, data_type: i32, raw_data: Vec<u8>) {
        self.proto.initializer.push(TensorProto { dims, data_type, name: name.to_owned(), raw_data });
    }

    /// Declares an input; its first dimension is the batch.
    pub fn input(&mut self, name: &str, elem_type: i32, sizes: &[u64]) {
        self.proto.input.push(value_info(name, elem_type, sizes));
    }

    /// Ends it: this value is the output, under the name `output`.
    pub fn finish(mut self, value: &str, sizes: &[u64]) -> GraphProto {
        self.proto.node.push(NodeProto {
            input: vec![value.to_owned()],
            output: vec!["output".to_owned()],
            name: "output".to_owned(),
            op_type: "Identity".to_owned(),
            attribute: Vec::new(),
        });
        self.proto.output.push(value_info("output", FLOAT, sizes));
        self.proto.name = "kilter".to_owned();
        self.proto
    }
}

fn attribute(name: &str, value: &Attribute<'_>) -> AttributeProto {
    let mut made = AttributeProto { name: name.to_owned(), ..AttributeProto::default() };
    match value {
        Attribute::Float(value) => (made.f, made.r#type) = (*value as f32, 1),
        Attribute::Int(value) => (made.i, made.r#type) = (*value, 2),
        Attribute::Text(text) => (made.s, made.r#type) = (text.as_bytes().to_vec(), 3),
        Attribute::Ints(values) => (made.ints, made.r#type) = (values.clone(), 7),
    }
    made
}

fn value_info(name: &str, elem_type: i32, sizes: &[u64]) -> ValueInfoProto {
    let batch = DimensionValue::DimParam("batch".to_owned());
    let sizes = sizes.iter().map(|size| DimensionValue::DimValue(size.cast_signed()));
    let dim = std::iter::once(batch).chain(sizes).map(|value| Dimension { value: Some(value) }).collect();
    let tensor = TensorTypeProto { elem_type, shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto { name: name.to_owned(), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}
