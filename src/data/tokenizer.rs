//! Text to token ids and back: a Hugging Face `tokenizer.json`, or a byte-level BPE trained here.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;
use tokenizers::decoders::byte_level::ByteLevel as ByteLevelDecoder;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, TruncationParams};

use super::error::DataError;

/// Begin-of-text tokens by name, for a tokenizer whose configuration does not tell. The first that exists is taken.
const BOS_NAMES: &[&str] = &["<s>", "<|begin_of_text|>", "<bos>", "<|startoftext|>", "<|endoftext|>"];
/// End-of-text tokens by name.
const EOS_NAMES: &[&str] = &["</s>", "<|end_of_text|>", "<eos>", "<|im_end|>", "<|eot_id|>", "<|endoftext|>"];
/// Padding tokens by name.
const PAD_NAMES: &[&str] = &["<pad>", "[PAD]", "<|pad|>", "<|finetune_right_pad_id|>"];

/// The begin token of a tokenizer that is trained here; its id is 0.
pub const TRAINED_BOS: &str = "<s>";
/// The end token of a tokenizer that is trained here; its id is 1.
pub const TRAINED_EOS: &str = "</s>";
/// Number of different bytes, each of which is a token of a byte-level BPE.
const BYTES: usize = 256;

/// A tokenizer with the ids of its begin, end and padding tokens.
#[derive(Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    name: String,
    bos_id: Option<u32>,
    eos_id: Option<u32>,
    pad_id: Option<u32>,
    adds_bos: bool,
    adds_space: bool,
    warnings: Vec<String>,
}

/// The part of `tokenizer.json` that is compared with what the library made of it.
#[derive(Deserialize)]
struct AddedTokens {
    #[serde(default)]
    added_tokens: Vec<ListedToken>,
}

#[derive(Deserialize)]
struct ListedToken {
    id: u32,
    content: String,
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokenizer({}, {} tokens)", self.name, self.vocab_size())
    }
}

impl Tokenizer {
    /// Reads `tokenizer.json` and, where there is one, `tokenizer_config.json`. `name` stands in messages.
    ///
    /// The begin, end and padding tokens are those of the configuration (where a `null` means none), else those with a
    /// well-known name; `config.json` and `generation_config.json` may override them through the setters.
    /// Padding and truncation that the file asks for are turned off, since batches and windows are made elsewhere.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if either file is not what it should be.
    pub fn from_bytes(
        tokenizer_json: &[u8],
        tokenizer_config_json: Option<&[u8]>,
        name: &str,
    ) -> Result<Self, DataError> {
        let refused = |reason: String| DataError::Tokenizer { name: name.to_string(), reason };
        let inner = tokenizers::Tokenizer::from_bytes(tokenizer_json).map_err(|error| {
            refused(format!("tokenizer.json cannot be read ({error}); take the file of the Hugging Face tokenizers library that belongs to the model"))
        })?;
        let config = match tokenizer_config_json {
            None => Value::Null,
            Some(bytes) => serde_json::from_slice::<Value>(bytes).map_err(|error| {
                refused(format!("tokenizer_config.json is not JSON ({error}); restore or remove it"))
            })?,
        };
        let mut tokenizer = Self::with_config(inner, &config, name)?;
        let listed =
            serde_json::from_slice::<AddedTokens>(tokenizer_json).map_or_else(|_| Vec::new(), |list| list.added_tokens);
        let moved: Vec<String> = listed
            .iter()
            .filter_map(|token| Some((token, tokenizer.inner.token_to_id(&token.content)?)))
            .filter(|(token, id)| token.id != *id)
            .map(|(token, id)| format!("{} from {} to {id}", token.content, token.id))
            .collect();
        if !moved.is_empty() {
            let sentence =
                "Tokenizer {name}: ids of added tokens moved, because there is a gap before them in the file: {moved}.";
            tokenizer.warnings.push(sentence.replace("{name}", name).replace("{moved}", &moved.join(", ")));
        }
        Ok(tokenizer)
    }

    fn with_config(mut inner: tokenizers::Tokenizer, config: &Value, name: &str) -> Result<Self, DataError> {
        let refused = |reason: String| DataError::Tokenizer { name: name.to_string(), reason };
        inner.with_padding(None);
        inner.with_truncation(None::<TruncationParams>).map_err(|error| refused(error.to_string()))?;
        if inner.get_vocab_size(true) == 0 {
            return Err(refused(
                "its vocabulary is empty; take the tokenizer.json that belongs to the model".to_string(),
            ));
        }
        let special = |key: &str, names: &[&str]| -> Option<u32> {
            let known = || names.iter().find_map(|name| inner.token_to_id(name));
            match config.get(key) {
                Some(Value::Null) => None,
                Some(Value::String(text)) => inner.token_to_id(text).or_else(known),
                Some(token) => {
                    token.get("content").and_then(Value::as_str).and_then(|text| inner.token_to_id(text)).or_else(known)
                }
                None => known(),
            }
        };
        let (bos_id, eos_id, pad_id) =
            (special("bos_token", BOS_NAMES), special("eos_token", EOS_NAMES), special("pad_token", PAD_NAMES));
        let first = |text: &str, with_special: bool| -> Result<Option<u32>, DataError> {
            let encoding = inner
                .encode_fast(text, with_special)
                .map_err(|error| refused(format!("it cannot encode {text:?} ({error})")))?;
            Ok(encoding.get_ids().first().copied())
        };
        let begins = first("a", true)?.is_some_and(|id| Some(id) == bos_id);
        let adds_bos = config.get("add_bos_token").and_then(Value::as_bool).unwrap_or(begins) && bos_id.is_some();
        let adds_space = first("a", false)?
            .and_then(|id| inner.id_to_token(id))
            .is_some_and(|token| token.starts_with(['\u{2581}', 'Ġ']));
        Ok(Self { inner, name: name.to_string(), bos_id, eos_id, pad_id, adds_bos, adds_space, warnings: Vec::new() })
    }

    /// Trains a byte-level BPE of at most `vocab_size` tokens: [`TRAINED_BOS`], [`TRAINED_EOS`], the further `special`
    /// tokens, the 256 bytes, then merges by frequency. Any text can be encoded and comes back unchanged.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if `vocab_size` has no room for the bytes and special tokens, or training fails.
    pub fn train_bpe<S: AsRef<str> + Sync>(
        texts: &[S],
        vocab_size: usize,
        special: &[&str],
    ) -> Result<Self, DataError> {
        let name = "trained here";
        let refused = |reason: String| DataError::Tokenizer { name: name.to_string(), reason };
        let mut specials = vec![TRAINED_BOS, TRAINED_EOS];
        specials.extend(special.iter().copied().filter(|token| ![TRAINED_BOS, TRAINED_EOS].contains(token)));
        let least = BYTES + specials.len();
        if vocab_size < least {
            return Err(refused(format!(
                "a vocabulary of {vocab_size} tokens is too small; set at least {least} (256 bytes and the special tokens)"
            )));
        }
        let mut inner = tokenizers::Tokenizer::new(BPE::default());
        inner.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
        inner.with_decoder(Some(ByteLevelDecoder::default()));
        let trainer = BpeTrainer::builder()
            .vocab_size(vocab_size)
            .show_progress(false)
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .special_tokens(specials.iter().map(|token| AddedToken::from(*token, true)).collect())
            .build();
        inner
            .train(&mut TrainerWrapper::from(trainer), texts.iter().map(AsRef::as_ref))
            .map_err(|error| refused(format!("training failed ({error})")))?;
        let bos_id =
            inner.token_to_id(TRAINED_BOS).ok_or_else(|| refused("training lost its special tokens".to_string()))?;
        let template = TemplateProcessing::builder()
            .try_single(format!("{TRAINED_BOS} $A"))
            .map_err(|error| refused(error.clone()))?
            .special_tokens(vec![(TRAINED_BOS, bos_id)])
            .build()
            .map_err(|error| refused(error.to_string()))?;
        inner.with_post_processor(Some(template));
        Self::with_config(inner, &Value::Null, name)
    }

    /// Token ids of a text with nothing put in front or behind. Special tokens written in the text (`<s>`) become their
    /// ids, as in Hugging Face's libraries.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the text cannot be encoded (a vocabulary without an unknown token).
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, DataError> {
        self.ids(text, false)
    }

    /// Token ids with the special tokens that the file's own template adds, such as a leading `<s>`.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_with_special(&self, text: &str) -> Result<Vec<u32>, DataError> {
        self.ids(text, true)
    }

    fn ids(&self, text: &str, with_special: bool) -> Result<Vec<u32>, DataError> {
        let encoding = self.inner.encode_fast(text, with_special).map_err(|error| {
            let start: String = text.chars().take(40).collect();
            self.fault(format!("it cannot encode the text that starts with {start:?} ({error}); take another tokenizer or remove the text"))
        })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Text of token ids; ids outside the vocabulary are left out, and special tokens too if asked.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the file's decoder fails.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String, DataError> {
        self.inner
            .decode(ids, skip_special)
            .map_err(|error| self.fault(format!("it cannot decode {} tokens ({error})", ids.len())))
    }

    /// The begin-of-text token, if there is one.
    #[must_use]
    pub fn bos_id(&self) -> Option<u32> {
        self.bos_id
    }

    /// The end-of-text token, if there is one.
    #[must_use]
    pub fn eos_id(&self) -> Option<u32> {
        self.eos_id
    }

    /// The padding token, if there is one. Padding is never read, so any id serves where there is none.
    #[must_use]
    pub fn pad_id(&self) -> Option<u32> {
        self.pad_id
    }

    /// Overrides the begin token, as `config.json` says.
    pub fn set_bos_id(&mut self, id: Option<u32>) {
        self.bos_id = id;
        self.adds_bos &= id.is_some();
    }

    /// Overrides the end token, as `config.json` or `generation_config.json` says.
    pub fn set_eos_id(&mut self, id: Option<u32>) {
        self.eos_id = id;
    }

    /// Overrides the padding token.
    pub fn set_pad_id(&mut self, id: Option<u32>) {
        self.pad_id = id;
    }

    /// Does the model expect the begin token in front (`add_bos_token`, or the template of `tokenizer.json`)?
    #[must_use]
    pub fn adds_bos(&self) -> bool {
        self.adds_bos
    }

    /// Does encoding put a blank in front of the first word, as `SentencePiece` models do?
    #[must_use]
    pub fn adds_space(&self) -> bool {
        self.adds_space
    }

    /// Number of tokens, added ones included. Ids may have gaps: compare [`Self::max_token_id`] with the embedding.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The largest id that encoding can give; the embedding needs more rows than this.
    #[must_use]
    pub fn max_token_id(&self) -> u32 {
        self.inner.get_vocab(true).into_values().max().unwrap_or(0)
    }

    /// The token's own spelling (`▁the`, `Ġthe`, `<0x0A>`), if the id exists.
    #[must_use]
    pub fn token_text(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The id of a token's own spelling.
    #[must_use]
    pub fn token_id(&self, text: &str) -> Option<u32> {
        self.inner.token_to_id(text)
    }

    /// What was odd about the file, in whole sentences: added tokens whose id is not the one that the file lists, which
    /// happens in the tokenizers library (Python's too) where the ids have gaps. Their embedding rows are then others'.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The tokenizer as `tokenizer.json`, without padding and truncation.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if a part of it has no written form.
    pub fn to_json(&self) -> Result<String, DataError> {
        self.inner.to_string(false).map_err(|error| self.fault(format!("it cannot be written ({error})")))
    }

    /// What stands in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn fault(&self, reason: String) -> DataError {
        DataError::Tokenizer { name: self.name.clone(), reason }
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    fn shared(path: &str) -> Option<Vec<u8>> {
        let path = crate::platform::checkout().join("../shared/data").join(path);
        let bytes = std::fs::read(&path).ok();
        if bytes.is_none() {
            eprintln!("SKIPPED: {} is not there, so real tokenizers were not compared", path.display());
        }
        bytes
    }

    fn ids(value: &Value) -> Vec<u32> {
        value.as_array().unwrap().iter().map(|id| u32::try_from(id.as_u64().unwrap()).unwrap()).collect()
    }

    fn compare(tokenizer: &Tokenizer, cases: &[Value]) {
        assert!(cases.len() >= 10);
        for case in cases {
            let text = case["text"].as_str().unwrap();
            let plain = tokenizer.encode(text).unwrap();
            assert_eq!(plain, ids(&case["ids"]), "{tokenizer:?} {text:?}");
            assert_eq!(
                tokenizer.encode_with_special(text).unwrap(),
                ids(&case["ids_with_special"]),
                "{tokenizer:?} {text:?}"
            );
            assert_eq!(tokenizer.decode(&plain, true).unwrap(), case["decoded"].as_str().unwrap(), "{tokenizer:?}");
        }
    }

    #[test]
    fn ids_equal_those_of_the_python_library() {
        let Some(reference) = shared("tokenizers/reference.json") else { return };
        let reference: Value = serde_json::from_slice(&reference).unwrap();
        for (name, adds_space, max_id, eos) in [
            ("gpt2", false, 50_256, "<|endoftext|>"),
            ("phi-3-mini", true, 32_010, "</s>"),
            ("minimind", false, 6_399, "<|im_end|>"),
            ("cl100k", false, 100_260, "<|endoftext|>"),
        ] {
            let json = shared(&format!("tokenizers/{name}/tokenizer.json")).unwrap();
            let tokenizer = Tokenizer::from_bytes(&json, None, name).unwrap();
            compare(&tokenizer, reference["tokenizers"][name].as_array().unwrap());
            assert_eq!((tokenizer.adds_space(), tokenizer.max_token_id()), (adds_space, max_id), "{name}");
            assert_eq!(tokenizer.eos_id().and_then(|id| tokenizer.token_text(id)).as_deref(), Some(eos), "{name}");
            assert!(!tokenizer.adds_bos(), "{name}");
            // Its file lists ids 100257 to 100276 behind a vocabulary that ends at 100255.
            assert_eq!(tokenizer.warnings().iter().any(|text| text.contains("100276")), name == "cl100k", "{name}");
        }
    }

    #[test]
    fn ids_of_both_models_equal_the_reference() {
        for (name, size) in [("stories260K", 512), ("babyllama-361", 361)] {
            let Some(reference) = shared(&format!("models/{name}/reference.json")) else { return };
            let reference: Value = serde_json::from_slice(&reference).unwrap();
            let tokenizer =
                Tokenizer::from_bytes(&shared(&format!("models/{name}/tokenizer.json")).unwrap(), None, name).unwrap();
            compare(&tokenizer, reference["tokenizer"].as_array().unwrap());
            for case in reference["generation"].as_array().unwrap() {
                assert_eq!(tokenizer.encode_with_special(case["prompt"].as_str().unwrap()).unwrap(), ids(&case["ids"]));
            }
            assert_eq!((tokenizer.bos_id(), tokenizer.eos_id(), tokenizer.pad_id()), (Some(1), Some(2), None));
            assert_eq!((tokenizer.vocab_size(), tokenizer.max_token_id()), (size, u32::try_from(size).unwrap() - 1));
            assert!(tokenizer.adds_bos() && tokenizer.adds_space());
            let again = Tokenizer::from_bytes(tokenizer.to_json().unwrap().as_bytes(), None, name).unwrap();
            compare(&again, reference["tokenizer"].as_array().unwrap());
        }
    }

    const TEXTS: [&str; 3] = [
        "Lily went to the park with the dog.",
        "The dog went to the park, the park, the park!",
        "12 + 30 = 42\n\n\tend",
    ];

    #[test]
    fn a_trained_tokenizer_gives_every_text_back() {
        let tokenizer = Tokenizer::train_bpe(&TEXTS, 280, &["<pad>"]).unwrap();
        assert_eq!((tokenizer.bos_id(), tokenizer.eos_id(), tokenizer.pad_id()), (Some(0), Some(1), Some(2)));
        assert_eq!((tokenizer.vocab_size(), tokenizer.max_token_id()), (280, 279));
        assert!(tokenizer.adds_bos() && !tokenizer.adds_space());
        let again = Tokenizer::from_bytes(tokenizer.to_json().unwrap().as_bytes(), None, "again").unwrap();
        let all_bytes: String = (0_u32..0x300).filter_map(char::from_u32).collect();
        for text in
            ["", " ", "  a  b ", "the park", "naïve 你好 😀\u{200b}\u{feff}\r\n", "<s>x</s>", &all_bytes, TEXTS[2]]
        {
            let ids = tokenizer.encode(text).unwrap();
            assert_eq!(tokenizer.decode(&ids, false).unwrap(), text);
            assert_eq!(again.encode(text).unwrap(), ids);
            assert_eq!(tokenizer.encode_with_special(text).unwrap(), [&[0], ids.as_slice()].concat());
        }
        assert!(tokenizer.encode(" the park").unwrap().len() <= 3, "merges were learnt");
        assert_eq!(tokenizer.decode(&tokenizer.encode("<s>x</s>").unwrap(), true).unwrap(), "x");
    }

    #[test]
    fn training_is_repeatable_and_needs_room() {
        let json = Tokenizer::train_bpe(&TEXTS, 320, &[]).unwrap().to_json().unwrap();
        for _ in 0..5 {
            assert_eq!(Tokenizer::train_bpe(&TEXTS, 320, &[]).unwrap().to_json().unwrap(), json);
        }
        assert!(Tokenizer::train_bpe(&TEXTS, 257, &[]).unwrap_err().to_string().contains("at least 258"));
        assert_eq!(Tokenizer::train_bpe(&[""], 1000, &[]).unwrap().vocab_size(), 258);
    }

    #[test]
    fn the_configuration_decides_over_the_names() {
        let json = Tokenizer::train_bpe(&TEXTS, 300, &["<pad>", "<|im_end|>"]).unwrap().to_json().unwrap();
        let read = |config: &str| Tokenizer::from_bytes(json.as_bytes(), Some(config.as_bytes()), "x").unwrap();
        let tokenizer = read(r#"{"bos_token": null, "eos_token": {"content": "<|im_end|>"}, "pad_token": "<pad>"}"#);
        assert_eq!((tokenizer.bos_id(), tokenizer.eos_id(), tokenizer.pad_id()), (None, Some(3), Some(2)));
        assert!(!tokenizer.adds_bos());
        assert!(!read(r#"{"add_bos_token": false}"#).adds_bos());
        let mut tokenizer = read("{}");
        tokenizer.set_eos_id(Some(7));
        tokenizer.set_bos_id(None);
        assert_eq!((tokenizer.bos_id(), tokenizer.eos_id(), tokenizer.adds_bos()), (None, Some(7), false));
    }

    #[test]
    fn broken_files_are_refused() {
        let json = Tokenizer::train_bpe(&TEXTS, 300, &[]).unwrap().to_json().unwrap();
        for broken in [
            "",
            "{}",
            "[1]",
            &json[..json.len() / 2],
            "{\"model\": {\"type\": \"BPE\", \"vocab\": {}, \"merges\": []}}",
        ] {
            let error = Tokenizer::from_bytes(broken.as_bytes(), None, "demo").unwrap_err();
            assert!(error.to_string().starts_with("Tokenizer demo: "), "{error}");
        }
        assert!(
            Tokenizer::from_bytes(json.as_bytes(), Some(b"{"), "demo")
                .unwrap_err()
                .to_string()
                .contains("tokenizer_config.json")
        );
        assert_eq!(Tokenizer::from_bytes(json.as_bytes(), None, "x").unwrap().decode(&[u32::MAX], true).unwrap(), "");
    }
}
