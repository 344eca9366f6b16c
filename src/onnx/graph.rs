//! A graph under construction.

use super::message::{
    AttributeProto, BOOL, Dimension, DimensionValue, FLOAT, GraphProto, INT64, NodeProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use super::{Refusal, Weights};
use std::collections::BTreeSet;

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
    /// The weights that are in it: two layers may share one.
    weights: BTreeSet<String>,
    /// The names of inputs, which no other value may have.
    taken: BTreeSet<String>,
}

impl Graph {
    /// A graph without operations, whose inputs will have these names.
    pub fn of<'a>(inputs: impl IntoIterator<Item = &'a str>) -> Self {
        Self { taken: inputs.into_iter().map(str::to_owned).collect(), ..Self::default() }
    }

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
        let outputs: Vec<String> = (0..outputs).map(|_| self.fresh("value")).collect();
        self.proto.node.push(NodeProto {
            input: inputs.iter().map(|name| (*name).to_owned()).collect(),
            output: outputs.clone(),
            name: format!("{}_{first}", op.to_lowercase()),
            op_type: op.to_owned(),
            attribute: attributes.iter().map(|(name, value)| attribute(name, value)).collect(),
        });
        outputs
    }

    /// Adds an operation without attributes.
    pub fn op(&mut self, op: &str, inputs: &[&str]) -> String {
        self.node(op, inputs, &[])
    }

    /// The dimensions of a value in another order.
    pub fn turn(&mut self, value: &str, order: &[i64]) -> String {
        self.node("Transpose", &[value], &[("perm", Attribute::Ints(order.to_vec()))])
    }

    /// A value in another shape: 0 keeps a size, -1 is what is left.
    pub fn shaped(&mut self, value: &str, shape: &[i64]) -> String {
        let shape = self.ints(shape);
        self.op("Reshape", &[value, &shape])
    }

    /// A value with new dimensions of one element at these places.
    pub fn unsqueeze(&mut self, value: &str, axes: &[i64]) -> String {
        let axes = self.ints(axes);
        self.op("Unsqueeze", &[value, &axes])
    }

    /// `ReduceSum`, `ReduceMean` or `ReduceMax` over some dimensions, which stay with one element or go.
    pub fn reduce(&mut self, op: &str, value: &str, axes: &[i64], keep: bool) -> String {
        let axes = self.ints(axes);
        self.node(op, &[value, &axes], &[("keepdims", Attribute::Int(i64::from(keep)))])
    }

    /// A value's elements `from .. to` along a dimension.
    pub fn slice(&mut self, value: &str, axis: i64, from: i64, to: i64) -> String {
        let [from, to, axis] = [from, to, axis].map(|number| self.ints(&[number]));
        self.op("Slice", &[value, &from, &to, &axis])
    }

    /// A value cut into equal parts along its last dimension.
    pub fn chunks(&mut self, value: &str, parts: usize) -> Vec<String> {
        let attributes = [("axis", Attribute::Int(-1)), ("num_outputs", Attribute::Int(parts as i64))];
        self.node_with("Split", &[value], &attributes, parts)
    }

    /// A value in another type.
    pub fn cast(&mut self, value: &str, kind: i32) -> String {
        self.node("Cast", &[value], &[("to", Attribute::Int(i64::from(kind)))])
    }

    /// Adds a weight of the model under its own name.
    pub fn weight(&mut self, name: &str, weights: &Weights) -> Result<String, Refusal> {
        let (dims, data) = weight(name, weights)?;
        if self.weights.insert(name.to_owned()) {
            self.tensor(name, dims.clone(), FLOAT, data.clone());
        }
        Ok(name.to_owned())
    }

    /// Adds rows `from .. to` of a weight of the model.
    pub fn rows(&mut self, name: &str, from: usize, to: usize, weights: &Weights) -> Result<String, Refusal> {
        let (dims, data) = weight(name, weights)?;
        let width = dims.iter().skip(1).product::<i64>().unsigned_abs() as usize * size_of::<f32>();
        let rows = data.get(from * width..to * width).ok_or_else(|| Refusal(format!("`{name}` has too few rows")))?;
        let dims = [&[(to - from) as i64], &dims[1..]].concat();
        let part = format!("{name}.rows_{from}_{to}");
        self.tensor(&part, dims, FLOAT, rows.to_vec());
        Ok(part)
    }

    /// Adds numbers under a name.
    pub fn floats(&mut self, name: &str, dims: Vec<i64>, values: &[f32]) -> String {
        self.tensor(name, dims, FLOAT, values.iter().flat_map(|value| value.to_le_bytes()).collect());
        name.to_owned()
    }

    /// Adds numbers that are no weights.
    pub fn constant(&mut self, dims: Vec<i64>, values: &[f32]) -> String {
        let name = self.fresh("floats");
        self.floats(&name, dims, values)
    }

    /// Adds one number.
    pub fn number(&mut self, value: f64) -> String {
        self.constant(Vec::new(), &[value as f32])
    }

    /// Adds yes and no.
    pub fn bools(&mut self, dims: Vec<i64>, values: &[bool]) -> String {
        let name = self.fresh("bools");
        self.tensor(&name, dims, BOOL, values.iter().map(|value| u8::from(*value)).collect());
        name
    }

    /// Adds a list of integers, such as a shape.
    pub fn ints(&mut self, values: &[i64]) -> String {
        let name = self.fresh("ints");
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor(&name, vec![values.len() as i64], INT64, data);
        name
    }

    /// Adds one integer.
    pub fn int(&mut self, value: i64) -> String {
        let name = self.fresh("int");
        self.tensor(&name, Vec::new(), INT64, value.to_le_bytes().to_vec());
        name
    }

    fn fresh(&mut self, what: &str) -> String {
        loop {
            let name = format!("{what}_{}", self.values);
            self.values += 1;
            if !self.taken.contains(&name) {
                return name;
            }
        }
    }

    fn tensor(&mut self, name: &str, dims: Vec<i64>, data_type: i32, raw_data: Vec<u8>) {
        self.proto.initializer.push(TensorProto { dims, data_type, name: name.to_owned(), raw_data });
    }

    /// Declares an input; its first dimension is the batch.
    pub fn input(&mut self, name: &str, elem_type: i32, sizes: &[u64]) {
        self.proto.input.push(value_info(name, elem_type, sizes));
    }

    /// Ends it: this value is the output, under the name `output`, or another where an input has that.
    pub fn finish(mut self, value: &str, sizes: &[u64]) -> GraphProto {
        let free = ["output", "result"].into_iter().find(|name| !self.taken.contains(*name));
        let name = free.map_or_else(|| self.fresh("output"), str::to_owned);
        self.proto.node.push(NodeProto {
            input: vec![value.to_owned()],
            output: vec![name.clone()],
            name: name.clone(),
            op_type: "Identity".to_owned(),
            attribute: Vec::new(),
        });
        self.proto.output.push(value_info(&name, FLOAT, sizes));
        self.proto.name = "kilter".to_owned();
        self.proto
    }
}

fn weight<'a>(name: &str, weights: &'a Weights) -> Result<&'a (Vec<i64>, Vec<u8>), Refusal> {
    weights.get(name).ok_or_else(|| Refusal(format!("the weights `{name}` are missing")))
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
