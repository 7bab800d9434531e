//! A Chromium without a window, steered through chromedriver as a person would use it: look, type, press.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use ipdect_tests::kit::program::Program;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Longest wait for anything to appear on a page.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at a page.
const LOOK: Duration = Duration::from_millis(50);
/// Longest wait for an answer of the driver, and for its start.
const DRIVER: Duration = Duration::from_secs(40);
/// What the driver says when it has a port.
const TOLD: &str = "started successfully on port ";
/// How often the driver is started at most.
const STARTS: u32 = 5;
/// Size of the window that people work in, unless a test says otherwise.
const WINDOW: (u32, u32) = (1280, 900);

/// What Chromium is started with: nothing that leaves the machine.
const ARGUMENTS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// The browser and its driver. Dropping it ends both.
pub(crate) struct Browser {
    client: Client,
    door: Door,
    _driver: Program,
    _profile: TempDir,
    origin: String,
}

impl Browser {
    /// Starts a browser with an empty profile for the site at `origin`, such as `http://127.0.0.1:8080`.
    pub(crate) async fn open(origin: &str, logs: &Path) -> Result<Self> {
        let profile = tempfile::tempdir()?;
        let (driver, door) = driver(profile.path(), logs)?;
        let mut arguments: Vec<String> = ARGUMENTS.iter().map(ToString::to_string).collect();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let wishes = json!({
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
            // A script that opens a box has won: the next command fails and names it.
            "unhandledPromptBehavior": "ignore",
        });
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(wishes.as_object().context("an object")?.clone())
            .connect(&format!("http://127.0.0.1:{}", door.port))
            .await
            .with_context(|| driver.last_words())?;
        let browser = Self {
            client,
            door,
            _driver: driver,
            _profile: profile,
            origin: origin.into(),
        };
        browser.is_sized(WINDOW.0, WINDOW.1).await?;
        Ok(browser)
    }

    /// Types an address of the site.
    pub(crate) async fn goes_to(&self, path: &str) -> Result<()> {
        let address = format!("{}{path}", self.origin);
        self.client.goto(&address).await.with_context(|| address)
    }

    /// Waits until the address is this, without what follows `?`.
    pub(crate) async fn arrives_at(&self, path: &str) -> Result<()> {
        let mut last = String::new();
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let at = self.client.current_url().await?;
            if at.path() == path {
                return Ok(());
            }
            last = at.to_string();
            tokio::time::sleep(LOOK).await;
        }
        bail!("not within {PATIENCE:?}: {path}; still at {last}")
    }

    /// Waits until something that a selector names is visible.
    pub(crate) async fn finds(&self, css: &str) -> Result<Element> {
        self.visible(Locator::Css(css), css).await
    }

    async fn visible(&self, locator: Locator<'_>, what: &str) -> Result<Element> {
        let begun = Instant::now();
        loop {
            for element in self.client.find_all(locator).await? {
                // Gone between two questions: the next look finds its successor.
                if element.is_displayed().await.unwrap_or(false) {
                    return Ok(element);
                }
            }
            if begun.elapsed() > PATIENCE {
                bail!(
                    "not visible within {PATIENCE:?}: {what}\n{}",
                    self.page().await
                );
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Replaces what stands in the field of this name.
    pub(crate) async fn types(&self, name: &str, text: &str) -> Result<()> {
        let css = format!("[name='{name}']:not([type=hidden])");
        let field = self.finds(&css).await?;
        field.clear().await?;
        field.send_keys(text).await.with_context(|| css)
    }

    /// Presses the button, or follows the link, that says this.
    pub(crate) async fn presses(&self, word: &str) -> Result<()> {
        // A word with dots says that a question follows.
        let path = format!(
            "//*[self::button or self::a][normalize-space(.)='{word}' or normalize-space(.)='{word}\u{2026}']"
        );
        let begun = Instant::now();
        loop {
            let element = self.visible(Locator::XPath(&path), word).await?;
            match element.click().await {
                Ok(()) => return Ok(()),
                // The page lives: what was found a moment ago may be another element now.
                Err(error) if moved(&error) && begun.elapsed() < PATIENCE => {}
                Err(error) => return Err(error).with_context(|| format!("pressing {word:?}")),
            }
        }
    }

    /// Waits until something that a selector names shows a text.
    pub(crate) async fn sees(&self, css: &str, text: &str) -> Result<()> {
        let look = "return [...document.querySelectorAll(arguments[0])].some((e) => (e.innerText ?? e.textContent).includes(arguments[1]))";
        self.comes(look, json!([css, text]), &format!("{css} shows {text:?}"))
            .await
    }

    /// Waits until nothing that a selector names shows a text.
    pub(crate) async fn sees_no(&self, css: &str, text: &str) -> Result<()> {
        let look = "return ![...document.querySelectorAll(arguments[0])].some((e) => (e.innerText ?? e.textContent).includes(arguments[1]))";
        self.comes(
            look,
            json!([css, text]),
            &format!("{css} shows no {text:?}"),
        )
        .await
    }

    async fn comes(&self, look: &str, arguments: Value, what: &str) -> Result<()> {
        let begun = Instant::now();
        loop {
            // While a page is left there is nothing to look at.
            let seen = self.asks(look, arguments.clone()).await;
            if matches!(seen, Ok(Value::Bool(true))) {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                bail!(
                    "not within {PATIENCE:?}: {what} ({seen:?})\n{}",
                    self.page().await
                );
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Asks the page's own engine; `arguments` is a list.
    pub(crate) async fn asks(&self, script: &str, arguments: Value) -> Result<Value> {
        let list = arguments.as_array().cloned().unwrap_or_default();
        Ok(self.client.execute(script, list).await?)
    }

    /// Text of the first that a selector names.
    pub(crate) async fn reads(&self, css: &str) -> Result<String> {
        Ok(self.finds(css).await?.text().await?)
    }

    /// Address and visible text of the page, for a failure's message.
    async fn page(&self) -> String {
        let look = "return location.href + '\\n' + document.body.innerText";
        match self.asks(look, json!([])).await {
            Ok(Value::String(text)) => format!("the page is {text}"),
            other => format!("the page cannot be read: {other:?}"),
        }
    }

    /// Gives the page this size, smaller than a window may be.
    pub(crate) async fn is_sized(&self, width: u32, height: u32) -> Result<()> {
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.commands(
            "goog/cdp/execute",
            &json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": metrics }),
        )
        .await?;
        let look = "return innerWidth === arguments[0]";
        self.comes(look, json!([width]), &format!("{width} px wide"))
            .await
    }

    /// A picture of the page as far as it reaches down.
    pub(crate) async fn screenshot(&self) -> Result<Vec<u8>> {
        Ok(self.client.screenshot().await?)
    }

    /// What the engine complained of since it was last asked: scripts that failed or were refused by the policy.
    pub(crate) async fn complaints(&self) -> Result<Vec<String>> {
        let said = self
            .commands("se/log", &json!({ "type": "browser" }))
            .await?;
        let entries = said.as_array().context("a list of log entries")?;
        // A refused login is one of the network, and as it should be.
        let bad = |e: &&Value| e["level"] == "SEVERE" && e["source"] != "network";
        Ok(entries
            .iter()
            .filter(bad)
            .map(|e| e["message"].to_string())
            .collect())
    }

    async fn commands(&self, path: &str, body: &Value) -> Result<Value> {
        let session = self.client.session_id().await?.context("no session")?;
        let path = format!("/session/{session}/{path}");
        let (door, body) = (self.door.clone(), body.to_string());
        tokio::task::spawn_blocking(move || door.asks("POST", &path, &body)).await?
    }
}

/// Whether an element was exchanged or covered by a live page between two commands.
fn moved(error: &CmdError) -> bool {
    error.is_stale_element_reference() || error.to_string().contains("click intercepted")
}

/// Starts the driver on a free port. The one that it finds may be taken in one of two address families: it tries again.
fn driver(home: &Path, logs: &Path) -> Result<(Program, Door)> {
    let mut tries = 0;
    loop {
        tries += 1;
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").env("HOME", home);
        let mut driver = Program::start(&format!("chromedriver-{tries}"), command, logs)
            .context("apt-get install chromium chromium-driver")?;
        match driver.says(TOLD, DRIVER) {
            Ok(()) => {
                let port = port(&driver.said())?;
                return Ok((driver, Door { port }));
            }
            Err(error) if tries == STARTS => return Err(error),
            Err(_) => {}
        }
    }
}

fn port(said: &str) -> Result<u16> {
    let after = said.split(TOLD).nth(1).context("no port is told")?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().context(digits)
}

/// The driver's HTTP interface, for what WebDriver itself has no words for.
#[derive(Clone)]
struct Door {
    port: u16,
}

impl Door {
    fn asks(&self, method: &str, path: &str, body: &str) -> Result<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(DRIVER))?;
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )?;
        let mut reader = BufReader::new(stream);
        let (mut head, mut size) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let begins = head.len();
            ensure!(reader.read_line(&mut head)? > 0, "no HTTP answer to {path}");
            let line = head[begins..].to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                size = value.trim().parse()?;
            }
        }
        // The driver keeps the connection open whatever it is asked.
        let mut answer = vec![0; size];
        reader.read_exact(&mut answer)?;
        let answer = String::from_utf8(answer)?;
        ensure!(head.contains(" 200 "), "{path}: {answer}");
        Ok(serde_json::from_str::<Value>(&answer)?["value"].clone())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the sessions with their browsers, then the driver; the program's own drop insists.
        let _ = self.door.asks("GET", "/shutdown", "");
    }
}
