//! Writes what is heard to a file or a pipe, on a thread of its own: a slow disk must not hold up the air.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use ipdect_portable::speech::Frame;

use super::sound::{Hearing, SoundError, WAV};

/// Frames that wait to be written: 5 s.
const QUEUE: usize = 500;
/// A file is complete up to the last second.
const FLUSH_EVERY: u32 = 100;

/// Where the frames of one ear go; what is queued is written before it is gone.
#[derive(Debug)]
pub(super) struct Sink {
    frames: Option<SyncSender<Frame>>,
    writer: Option<JoinHandle<()>>,
}

impl Sink {
    /// Opens a sink.
    ///
    /// # Errors
    /// [`SoundError::Wav`] if the file cannot be made.
    pub(super) fn open(hearing: &Hearing) -> Result<Self, SoundError> {
        let (frames, queue) = sync_channel(QUEUE);
        let writer = match hearing {
            Hearing::Live => std::thread::spawn(move || end(write_pipe(&queue))),
            Hearing::Wav(path) => {
                let file =
                    hound::WavWriter::create(path, WAV).map_err(|source| SoundError::Wav {
                        path: path.clone(),
                        source,
                    })?;
                std::thread::spawn(move || end(write_wav(file, &queue).map_err(io::Error::other)))
            }
        };
        Ok(Self {
            frames: Some(frames),
            writer: Some(writer),
        })
    }

    /// Takes a frame; dropped if the writer is 5 s behind, or has ended.
    pub(super) fn write(&self, frame: Frame) {
        if let Some(frames) = &self.frames {
            let _ = frames.try_send(frame);
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.frames = None;
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has nothing left to write.
            let _ = writer.join();
        }
    }
}

fn end(written: io::Result<()>) {
    if let Err(error) = written {
        tracing::warn!(%error, "heard speech is no longer written");
    }
}

fn write_pipe(queue: &Receiver<Frame>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for frame in queue {
        let octets: Vec<u8> = frame.iter().flat_map(|s| s.to_le_bytes()).collect();
        out.write_all(&octets)?;
        out.flush()?;
    }
    Ok(())
}

fn write_wav(
    mut file: hound::WavWriter<io::BufWriter<std::fs::File>>,
    queue: &Receiver<Frame>,
) -> Result<(), hound::Error> {
    let mut written = 0u32;
    for frame in queue {
        for sample in frame {
            file.write_sample(sample)?;
        }
        written = written.wrapping_add(1);
        if written.is_multiple_of(FLUSH_EVERY) {
            file.flush()?;
        }
    }
    file.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipdect_portable::speech::FRAME_SAMPLES;

    #[test]
    fn all_that_was_heard_is_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heard.wav");
        let sink = Sink::open(&Hearing::Wav(path.clone())).unwrap();
        (0..3).for_each(|n| sink.write([n; FRAME_SAMPLES]));
        drop(sink);
        let samples: Vec<i16> = hound::WavReader::open(&path)
            .unwrap()
            .into_samples()
            .map(Result::unwrap)
            .collect();
        assert_eq!((samples.len(), samples[80], samples[239]), (240, 1, 2));
        let nowhere = Hearing::Wav(folder.path().join("none/heard.wav"));
        assert!(matches!(Sink::open(&nowhere), Err(SoundError::Wav { .. })));
    }
}
