//! What the radio and the media stream have in common: an envelope with a trace and a few messages of `link.v1`.

use std::{fmt::Debug, future::Future};

use bytes::Bytes;
use futures_util::Stream;
use ipdect_proto::{
    link::v1::{Hello, Ping, Pong, Refusal, Role, Welcome},
    media::v1::{
        self as media, media_to_server::Body as FromMedia, server_to_media::Body as ToMedia,
    },
    radio::v1::{self as radio, base_to_server::Body as FromBase, server_to_base::Body as ToBase},
};
use tonic::{Response, Status, Streaming, transport::Channel};

/// A message of a link that the link itself deals with.
#[derive(Clone, Debug, PartialEq)]
pub enum Control {
    /// First message of the device.
    Hello(Hello),
    /// The server's yes.
    Welcome(Welcome),
    /// The server's no.
    Refusal(Refusal),
    /// Heartbeat.
    Ping(Ping),
    /// Heartbeat's answer.
    Pong(Pong),
}

/// An envelope of one direction.
pub trait Envelope: Debug + Clone + Send + Sync + 'static {
    /// Its messages.
    type Body: Debug + Send + 'static;

    /// Packs a message.
    fn pack(trace: Bytes, body: Self::Body) -> Self;

    /// Packs a control message; `None` if this direction has no such message.
    fn control(control: Control) -> Option<Self>;

    /// Sorts out control messages.
    ///
    /// # Errors
    /// The envelope itself if it is none.
    fn sort(self) -> Result<Control, Self>;

    /// Unpacks trace and message; an envelope without a message known to us has none.
    fn unpack(self) -> (Bytes, Option<Self::Body>);
}

/// One kind of link: who dials it, and what is said in each direction.
pub trait Contract: Debug + Send + Sync + 'static {
    /// Role of the device that dials.
    const ROLE: Role;
    /// Device to server.
    type Up: Envelope;
    /// Server to device.
    type Down: Envelope;

    /// Opens the stream.
    fn attach(
        channel: Channel,
        outgoing: impl Stream<Item = Self::Up> + Send + 'static,
    ) -> impl Future<Output = Result<Response<Streaming<Self::Down>>, Status>> + Send;
}

/// Implements [`Envelope`] for a message with `trace` and `body`.
macro_rules! envelope {
    ($message:ty, $body:ident, $($control:ident),+) => {
        impl Envelope for $message {
            type Body = $body;

            fn pack(trace: Bytes, body: Self::Body) -> Self {
                Self { trace, body: Some(body) }
            }

            fn control(control: Control) -> Option<Self> {
                match control {
                    $(Control::$control(inner) => Some(Self::pack(Bytes::new(), $body::$control(inner))),)+
                    _ => None,
                }
            }

            fn sort(self) -> Result<Control, Self> {
                match self.body {
                    $(Some($body::$control(inner)) => Ok(Control::$control(inner)),)+
                    body => Err(Self { trace: self.trace, body }),
                }
            }

            fn unpack(self) -> (Bytes, Option<Self::Body>) {
                (self.trace, self.body)
            }
        }
    };
}

envelope!(radio::BaseToServer, FromBase, Hello, Ping, Pong);
envelope!(radio::ServerToBase, ToBase, Welcome, Refusal, Ping, Pong);
envelope!(media::MediaToServer, FromMedia, Hello, Ping, Pong);
envelope!(media::ServerToMedia, ToMedia, Welcome, Refusal, Ping, Pong);

/// Links of base stations.
#[derive(Clone, Copy, Debug)]
pub struct RadioLink;

impl Contract for RadioLink {
    const ROLE: Role = Role::Base;
    type Up = radio::BaseToServer;
    type Down = radio::ServerToBase;

    async fn attach(
        channel: Channel,
        outgoing: impl Stream<Item = Self::Up> + Send + 'static,
    ) -> Result<Response<Streaming<Self::Down>>, Status> {
        radio::radio_client::RadioClient::new(channel)
            .attach(outgoing)
            .await
    }
}

/// Links of media resources.
#[derive(Clone, Copy, Debug)]
pub struct MediaLink;

impl Contract for MediaLink {
    const ROLE: Role = Role::Media;
    type Up = media::MediaToServer;
    type Down = media::ServerToMedia;

    async fn attach(
        channel: Channel,
        outgoing: impl Stream<Item = Self::Up> + Send + 'static,
    ) -> Result<Response<Streaming<Self::Down>>, Status> {
        media::media_client::MediaClient::new(channel)
            .attach(outgoing)
            .await
    }
}
