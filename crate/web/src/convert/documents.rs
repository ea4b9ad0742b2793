//! The list of documents as CBOR: an array of maps `{id, name?, bytes, commits}`.

use core::convert::Infallible;

use eyot_core::replica::event::DocInfo;
use minicbor::Encoder;
use minicbor::encode::Error;

pub fn encode(documents: &[DocInfo]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut Encoder::new(&mut bytes), documents).expect("writing to a vector can't fail");
    bytes
}

fn write(encoder: &mut Encoder<&mut Vec<u8>>, documents: &[DocInfo]) -> Result<(), Error<Infallible>> {
    encoder.array(documents.len() as u64)?;
    for document in documents {
        encoder.map(3 + u64::from(document.name.is_some()))?;
        encoder.str("id")?.bytes(&document.id.0)?;
        if let Some(name) = &document.name {
            encoder.str("name")?.str(name)?;
        }
        encoder.str("bytes")?.u64(document.bytes)?.str("commits")?.u64(document.commits)?;
    }
    Ok(())
}
