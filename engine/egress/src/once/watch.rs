//! A connection that is watched: whether anything was written, how much, and whether it is out.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is known of a connection's writes. Shared with the connection, which tells.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch(Arc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    begun: AtomicBool,
    taken: AtomicUsize,
    out: AtomicBool,
}

impl Watch {
    /// Whether a write was as much as tried. Of one that failed nobody knows how far it came, so it
    /// counts from the moment that it is tried.
    pub(super) fn has_begun(&self) -> bool {
        self.0.begun.load(Ordering::Acquire)
    }

    /// Bytes that the connection took, before TLS.
    pub(super) fn taken(&self) -> usize {
        self.0.taken.load(Ordering::Acquire)
    }

    /// Whether nothing of it waits in buffers of this process.
    pub(super) fn is_out(&self) -> bool {
        self.0.out.load(Ordering::Acquire)
    }
}

/// The connection itself.
pub(super) struct Watched<S> {
    stream: S,
    watch: Watch,
}

impl<S> Watched<S> {
    pub(super) const fn new(stream: S, watch: Watch) -> Self {
        Self { stream, watch }
    }

    fn begin(&self, bytes: usize) {
        if bytes > 0 {
            self.watch.0.begun.store(true, Ordering::Release);
            self.watch.0.out.store(false, Ordering::Release);
        }
    }

    fn took(&self, result: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(count)) = result {
            self.watch.0.taken.fetch_add(*count, Ordering::AcqRel);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.begin(bytes.len());
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.took(&result);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.begin(slices.iter().map(|slice| slice.len()).sum());
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.took(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(cx);
        if matches!(result, Poll::Ready(Ok(()))) {
            self.watch.0.out.store(true, Ordering::Release);
        }
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    #[tokio::test]
    async fn a_write_counts_from_the_moment_that_it_is_tried() {
        let watch = Watch::default();
        let (near, far) = tokio::io::duplex(4);
        let mut stream = Watched::new(near, watch.clone());
        assert!(!watch.has_begun());
        stream.write_all(b"ab").await.unwrap();
        assert_eq!((watch.has_begun(), watch.taken(), watch.is_out()), (true, 2, false));
        stream.flush().await.unwrap();
        assert!(watch.is_out());
        drop(far);
        let watch = Watch::default();
        let mut gone = Watched::new(stream.stream, watch.clone());
        gone.write_all(b"cd").await.unwrap_err();
        assert_eq!((watch.has_begun(), watch.taken()), (true, 0));
    }
}
