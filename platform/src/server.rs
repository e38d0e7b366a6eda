//! Starting and stopping.
use crate::config::Config;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Why the platform did not start. The text names the thing and the fix.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the configuration cannot be used:\n  {}", .0.join("\n  "))]
    Config(Vec<String>),
    #[error("cannot listen on {0}: {1}; choose another `listen` address or stop the program that holds the port")]
    Listen(SocketAddr, std::io::Error),
    #[error("cannot use the data directory {0}: {1}; create it and give this user the right to write there")]
    Data(String, std::io::Error),
}

/// A platform that serves. Dropping it stops it at once; [`Running::shutdown`] lets requests finish.
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Running {
    /// The address it listens on, with the real port.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
    /// `http://address:port`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
    /// Stops taking requests, finishes those under way, and closes the database.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take()
            && let Err(e) = task.await
        {
            tracing::error!(error = %e, "the server ended abnormally");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Opens the database, brings its schema up to date, and serves until [`Running::shutdown`].
///
/// # Errors
/// [`StartError`] when the configuration, the database or the address cannot be used.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let problems = config.problems();
    if !problems.is_empty() {
        return Err(StartError::Config(problems));
    }
    std::fs::create_dir_all(&config.data).map_err(|e| StartError::Data(config.data.display().to_string(), e))?;
    let listener = TcpListener::bind(config.listen).await.map_err(|e| StartError::Listen(config.listen, e))?;
    let addr = listener.local_addr().map_err(|e| StartError::Listen(config.listen, e))?;
    let stop = CancellationToken::new();
    let router = axum::Router::new().route("/healthz", axum::routing::get(|| async { "ok\n" }));
    let stopped = stop.clone();
    let task = tokio::spawn(async move {
        if let Err(e) = axum::serve(listener, router).with_graceful_shutdown(stopped.cancelled_owned()).await {
            tracing::error!(error = %e, "the server stopped");
        }
    });
    Ok(Running { addr, stop, task: Some(task) })
}
