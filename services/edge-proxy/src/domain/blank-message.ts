/** A SIP message as it may be shown to people: no credentials, no keys, nobody's place. */

const CALL_ID = Buffer.from('\r\nCall-ID:')

/** The Call-ID of a message without parsing it; undefined when there is none in its head. */
export function callIdOf(message: Buffer): string | undefined {
  const at = message.indexOf(CALL_ID)
  const body = message.indexOf('\r\n\r\n')
  if (at >= 0 && (body < 0 || at < body)) {
    const end = message.indexOf('\r\n', at + 2)
    return message.toString('latin1', at + CALL_ID.length, end < 0 ? undefined : end).trim()
  }
  // compact or in other letters: rare enough for a slow look
  const head = message.toString('latin1', 0, Math.min(message.length, 8192)).split('\r\n\r\n', 1)[0] as string
  return /\r\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*)/i.exec(head)?.[1]?.trim()
}

/**
 * RFC 3261 22, RFC 7616 3.5: digests, ours too; RFC 3261 19.1.1: a password in a URI; RFC 4568, 4567, 8839 and k= (RFC 4566):
 * keys; RFC 4119: the PIDF-LO, in a body of its own or in one of many.
 */
export function blank(text: string): string {
  return text
    .replace(/^((?:Proxy-)?Authorization[ \t]*:[ \t]*\w+)[^\r\n]*(?:\r\n[ \t][^\r\n]*)*/gim, '$1 [left out]')
    .replace(/^((?:Proxy-)?Authentication-Info[ \t]*:)[^\r\n]*(?:\r\n[ \t][^\r\n]*)*/gim, '$1 [left out]')
    .replace(/(\bsips?:[^\s:@;,<>]{1,128}):[^\s@;,<>]{1,128}@/gi, '$1:[left out]@')
    .replace(/^(a=(?:ice-pwd|key-mgmt):|k=)[^\r\n]*/gim, '$1[left out]')
    .replace(/^(a=crypto:(?:\d+ +[\w-]+ +)?)[^\r\n]*/gim, '$1[left out]')
    .replace(/<([\w.-]+:)?presence\b(?=[\s>])[\s\S]*?(?:<\/\1?presence>|$)/g, leaveOutPlace)
}

function leaveOutPlace(body: string): string {
  return /geopriv/.test(body) ? '[location left out]' : body
}
