// The browser's part of passkeys. A page takes it with <script src="/passkey.js" defer></script> and needs
// no other script:
//
//   <button data-passkey="enrol">                     makes a passkey, which an admin then confirms
//   <form data-passkey="sign" data-decision="dec_…" data-digest="sha256:…">
//     <textarea name="reason">  <button name="verdict" value="approve">  …
//     <input name="to">                               to whom it is left, where that is the verdict
//   <p data-passkey-status role="status">             says what has become of it
//
// The challenge is made here, from the message that is shown to be signed, and never taken from the
// server: what the authenticator signs is what the message says. After a vote the document
// fires "placet:voted" with the receipt as its detail; after an enrolment "placet:enrolled".
"use strict";
(() => {
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  const post = async (path, body) => {
    const answer = await fetch("/api/v1" + path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const said = await answer.json();
    if (!answer.ok) throw new Error(`${said.code}: ${said.detail}`);
    return said;
  };

  const enrol = async () => {
    const options = await post("/passkeys/options", {});
    const known = options.excludeCredentials.map((one) => ({ ...one, id: bytes(one.id) }));
    const made = await navigator.credentials.create({
      publicKey: {
        ...options,
        challenge: bytes(options.challenge),
        user: { ...options.user, id: bytes(options.user.id) },
        excludeCredentials: known,
      },
    });
    return post("/passkeys", {
      client_data: text(made.response.clientDataJSON),
      authenticator_data: text(made.response.getAuthenticatorData()),
    });
  };

  const sign = async (decision, asked) => {
    const toSign = await post(`/decisions/${decision}/sign`, asked);
    const { document: signed, message, options } = toSign;
    const item = signed.items[0];
    // what comes back must be what was asked for, whoever has answered
    if (signed.verdict !== asked.verdict || item.decision !== decision || item.digest !== asked.digest)
      throw new Error("the document says something else than what was asked for");
    const [label, body] = [message.slice(0, message.indexOf("\n")), JSON.parse(message.slice(message.indexOf("\n")))];
    if (label !== "placet-decision-v1" || body.verdict !== asked.verdict || body.items[0].digest !== asked.digest)
      throw new Error("the message says something else than the document");
    const challenge = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(message));
    const allowed = options.allowCredentials.map((one) => ({ ...one, id: bytes(one.id) }));
    const { response } = await navigator.credentials.get({
      publicKey: { ...options, challenge, allowCredentials: allowed },
    });
    const parts = [response.authenticatorData, response.clientDataJSON, response.signature].map(text);
    const envelope = { document: signed, signature: `webauthn.${parts.join(".")}` };
    for (const member of ["reason", "reason_salt", "with"])
      if (toSign[member] !== null) envelope[member] = toSign[member];
    return post("/votes", envelope);
  };

  // what the browser itself says of a refusal is not for people
  const words = {
    NotAllowedError: "Nothing was signed.",
    InvalidStateError: "This authenticator has a passkey of yours already.",
    SecurityError: "This passkey is for another name: open the console under the name that it was made for.",
  };
  let waiting = false;

  const telling = async (what, done) => {
    if (waiting) return;
    waiting = true;
    // the part of the page may come anew meanwhile
    const say = (text) => {
      const status = document.querySelector("[data-passkey-status]");
      if (status) status.textContent = text;
    };
    try {
      if (!window.PublicKeyCredential) throw new Error("This browser, or this address, has no passkeys.");
      say("Waiting for your passkey…");
      say(done(await what()));
    } catch (error) {
      say(words[error.name] ?? error.message);
    } finally {
      waiting = false;
    }
  };

  document.addEventListener("click", (event) => {
    if (!event.target.closest('[data-passkey="enrol"]')) return;
    event.preventDefault();
    telling(enrol, (made) => {
      document.dispatchEvent(new CustomEvent("placet:enrolled", { detail: made }));
      return "Your passkey is enrolled; an admin confirms it.";
    });
  });
  document.addEventListener("submit", (event) => {
    const form = event.target.closest('form[data-passkey="sign"]');
    if (!form) return;
    event.preventDefault();
    const asked = { digest: form.dataset.digest, verdict: event.submitter.value };
    const reason = form.elements.reason ? form.elements.reason.value : "";
    if (reason) asked.reason = reason.replace(/\r\n/g, "\n");
    const to = (form.elements.to?.value ?? "").split(/\s+/).filter(Boolean);
    if (to.length > 0) asked.with = { to };
    telling(
      () => sign(form.dataset.decision, asked),
      (receipt) => {
        // the form itself may be gone: its part of the page comes anew when something has happened
        document.dispatchEvent(new CustomEvent("placet:voted", { detail: receipt }));
        return `It is ${receipt.state}.`;
      },
    );
  });
})();
