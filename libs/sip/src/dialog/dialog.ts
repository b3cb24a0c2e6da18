/**
 * Dialogs (RFC 3261 12): pure data that survives JSON, and functions that give the next state.
 *
 * A dialog never changes in place; every function returns a new one.
 */
import { makeRequest } from '../message/make.ts'
import type { NameAddr, SipMessage, SipRequest, SipResponse } from '../message/message.ts'
import { callId, contacts, cseq, from, fromTag, nameAddrs, toTag } from '../message/read.ts'
import { flatten } from '../message/text.ts'
import { parseUri, writeUri } from '../message/uri.ts'

/** Everything RFC 3261 12 keeps of a dialog. JSON.parse(JSON.stringify(dialog)) is the same dialog. */
export interface Dialog {
  /** Who sent the request that made the dialog: we (`uac`) or the peer (`uas`). */
  readonly role: 'uac' | 'uas'
  readonly state: 'early' | 'confirmed'
  readonly callId: string
  readonly localTag: string
  /** Empty for RFC 2543 peers (RFC 3261 12.1.1: "the tag is considered to have a value of null"). */
  readonly remoteTag: string
  /** Value of From of our requests, with our tag. */
  readonly localParty: string
  /** Value of To of our requests, with the peer's tag. */
  readonly remoteParty: string
  /** URI which our requests are meant for, from the peer's Contact. */
  readonly remoteTarget: string
  /** Route values as they are sent, `<sip:proxy;lr>`, nearest first. */
  readonly routeSet: readonly string[]
  /** CSeq number of our last request; null until the first one is made. */
  readonly localSequence: number | null
  /** CSeq number of the peer's last request; null until the first one is received. */
  readonly remoteSequence: number | null
  /** The request came over TLS with a sips Request-URI. */
  readonly secure: boolean
}

/**
 * The dialog made by our 101-199 or 2xx with a To tag to an INVITE or SUBSCRIBE (RFC 3261 12.1.1).
 *
 * Undefined when the request has no usable Contact or the response no To tag.
 */
export function dialogOfUas(request: SipRequest, response: SipResponse, secure = false): Dialog | undefined {
  const localTag = toTag(response)
  const remoteTarget = contactUri(request) ?? callerWithoutContact(request)
  const sequence = cseq(request)?.sequence
  if (localTag === undefined || remoteTarget === undefined || sequence === undefined) return undefined
  return own({
    role: 'uas',
    state: response.status < 200 ? 'early' : 'confirmed',
    callId: callId(request),
    localTag,
    remoteTag: fromTag(request) ?? '',
    // RFC 3261 12.1.1: the local URI is that of To, the remote URI that of From
    localParty: response.headers.get('to') ?? '',
    remoteParty: request.headers.get('from') ?? '',
    remoteTarget,
    // RFC 3261 12.1.1: Record-Route of the request "taken in order and preserving all URI parameters"
    routeSet: recordRoutes(request),
    localSequence: null,
    remoteSequence: sequence,
    secure,
  })
}

/**
 * The dialog made by a 101-199 or 2xx with a To tag to our request (RFC 3261 12.1.2).
 *
 * Undefined when the response makes none: a 100, a failure, no To tag in a provisional, no usable Contact in a 2xx.
 */
export function dialogOfUac(request: SipRequest, response: SipResponse, secure = false): Dialog | undefined {
  const remoteTag = toTag(response)
  const sequence = cseq(request)?.sequence
  const early = response.status < 200
  if (response.status <= 100 || response.status >= 300 || sequence === undefined) return undefined
  // RFC 3261 12.1: only "101-199 responses with a To tag"; 12.1.2: a 2xx without tag (RFC 2543) has a null tag
  if (early && remoteTag === undefined) return undefined
  // a provisional may lack Contact (RFC 3261 20.10: only 2xx MUST have it): the Request-URI serves until the 2xx
  const remoteTarget = contactUri(response) ?? (early ? request.uri : undefined)
  if (remoteTarget === undefined) return undefined
  return own({
    role: 'uac',
    state: early ? 'early' : 'confirmed',
    callId: callId(request),
    localTag: fromTag(request) ?? '',
    remoteTag: remoteTag ?? '',
    localParty: request.headers.get('from') ?? '',
    remoteParty: response.headers.get('to') ?? '',
    remoteTarget,
    // RFC 3261 12.1.2: Record-Route of the response "taken in reverse order and preserving all URI parameters"
    routeSet: recordRoutes(response).reverse(),
    localSequence: sequence,
    remoteSequence: null,
    secure,
  })
}

/** A dialog lives long: its text must not hold on to the datagrams it came in. */
function own(dialog: Dialog): Dialog {
  return {
    ...dialog,
    callId: flatten(dialog.callId),
    localTag: flatten(dialog.localTag),
    remoteTag: flatten(dialog.remoteTag),
    localParty: flatten(dialog.localParty),
    remoteParty: flatten(dialog.remoteParty),
    remoteTarget: flatten(dialog.remoteTarget),
    routeSet: dialog.routeSet.map(flatten),
  }
}

/**
 * An early dialog becomes confirmed by the 2xx (ours or the peer's). As UAC the route set is taken anew from the
 * 2xx, sequence numbers are kept (RFC 3261 13.2.2.4).
 */
export function confirmDialog(dialog: Dialog, response: SipResponse): Dialog {
  if (dialog.role === 'uas') return { ...dialog, state: 'confirmed' }
  return {
    ...dialog,
    state: 'confirmed',
    remoteTarget: flatten(contactUri(response) ?? dialog.remoteTarget),
    routeSet: recordRoutes(response).reverse().map(flatten),
  }
}

export interface InDialogParts {
  readonly method: string
  readonly contact?: string | undefined
  readonly headers?: Iterable<readonly [name: string, value: string]> | undefined
  readonly body?: Uint8Array | string | undefined
  readonly contentType?: string | undefined
  readonly maxForwards?: number | undefined
}

/**
 * A request within the dialog (RFC 3261 12.2.1.1) and the dialog with its new sequence number. The request has no
 * Via yet: `TransactionLayer.request` adds it. For ACK use `ackInDialog`.
 */
export function requestInDialog(dialog: Dialog, parts: InDialogParts): readonly [Dialog, SipRequest] {
  // RFC 3261 12.2.1.1: incremented by one; when empty an initial value is chosen (8.1.1.5)
  const sequence = (dialog.localSequence ?? 0) + 1
  return [{ ...dialog, localSequence: sequence }, build(dialog, parts, sequence)]
}

/**
 * The ACK of a 2xx (RFC 3261 13.2.2.4): sequence number of the INVITE, its credentials when it carried some.
 *
 * `invite` is the INVITE as sent, or its sequence number when it carried no credentials.
 */
export function ackInDialog(
  dialog: Dialog,
  invite: SipRequest | number,
  parts: Omit<InDialogParts, 'method'> = {},
): SipRequest {
  const sequence = typeof invite === 'number' ? invite : (cseq(invite)?.sequence ?? 0)
  const headers: (readonly [string, string])[] = [...(parts.headers ?? [])]
  if (typeof invite !== 'number') {
    // RFC 3261 13.2.2.4: "The ACK MUST contain the same credentials as the INVITE"
    for (const name of ['Authorization', 'Proxy-Authorization']) {
      for (const value of invite.headers.getAll(name)) headers.push([name, value])
    }
  }
  return build(dialog, { ...parts, headers, method: 'ACK' }, sequence)
}

/** Where requests of the dialog go first: the topmost Route, else the remote target (RFC 3261 8.1.2). */
export function nextHop(dialog: Dialog): string {
  const first = dialog.routeSet[0]
  return first === undefined ? dialog.remoteTarget : bare(first)
}

export type InDialogVerdict =
  /** In order: the dialog as it is once the request is accepted (2xx). */
  | { readonly kind: 'in-order'; readonly dialog: Dialog }
  /** Answer with `status` (500: CSeq lower than before) and leave the dialog alone. */
  | { readonly kind: 'refuse'; readonly status: number; readonly reason: string }

/**
 * Takes in a request of the peer within the dialog (RFC 3261 12.2.2). Not for ACK and CANCEL, whose numbers are
 * those of their INVITE.
 *
 * `in-order.dialog` has the new remote sequence number and, for INVITE, UPDATE, SUBSCRIBE, NOTIFY and REFER (target refresh
 * requests), the new remote target. When the request is then refused, keep the number only: `withRemoteSequence`.
 */
export function receiveInDialog(dialog: Dialog, request: SipRequest): InDialogVerdict {
  const sequence = cseq(request)?.sequence
  if (sequence === undefined) return { kind: 'refuse', status: 400, reason: 'CSeq is missing or malformed' }
  // RFC 3261 12.2.2: lower than the remote sequence number: "out of order and MUST be rejected with a 500"
  if (dialog.remoteSequence !== null && sequence < dialog.remoteSequence) {
    return { kind: 'refuse', status: 500, reason: `CSeq ${sequence} comes after ${dialog.remoteSequence}` }
  }
  const inOrder = withRemoteSequence(dialog, request)
  return { kind: 'in-order', dialog: refreshTarget(inOrder, request) }
}

/** The dialog with the sequence number of a request that was in order but refused (RFC 3261 12.2.2: atomic). */
export function withRemoteSequence(dialog: Dialog, request: SipRequest): Dialog {
  const sequence = cseq(request)?.sequence
  return sequence === undefined ? dialog : { ...dialog, remoteSequence: sequence }
}

export type ResponseVerdict =
  | { readonly kind: 'keep'; readonly dialog: Dialog }
  /** RFC 3261 12.2.1.2: 481 or 408 (or a timeout): the dialog is over; an INVITE dialog is ended with BYE. */
  | { readonly kind: 'over' }

/** What a response to our in-dialog request of that method means for the dialog (RFC 3261 12.2.1.2). */
export function receiveResponseInDialog(dialog: Dialog, method: string, response: SipResponse): ResponseVerdict {
  if (response.status === 481 || response.status === 408) return { kind: 'over' }
  const accepted = response.status >= 200 && response.status < 300
  return {
    kind: 'keep',
    dialog: accepted && refreshesTarget(method) ? refreshTarget(dialog, response, method) : dialog,
  }
}

/** The key of a dialog for a Map: Call-ID, local tag, remote tag. */
export function dialogKey(dialog: Pick<Dialog, 'callId' | 'localTag' | 'remoteTag'>): string {
  return `${dialog.callId}|${dialog.localTag}|${dialog.remoteTag}`
}

/** The key under which the dialog of a received request is found; undefined when it is outside any dialog. */
export function dialogKeyOfRequest(request: SipRequest): string | undefined {
  const localTag = toTag(request)
  if (localTag === undefined) return undefined
  return dialogKey({ callId: callId(request), localTag, remoteTag: fromTag(request) ?? '' })
}

/** The key under which the dialog of a received response is found. */
export function dialogKeyOfResponse(response: SipResponse): string {
  return dialogKey({ callId: callId(response), localTag: fromTag(response) ?? '', remoteTag: toTag(response) ?? '' })
}

function build(dialog: Dialog, parts: InDialogParts, sequence: number): SipRequest {
  const [uri, route] = target(dialog)
  return makeRequest({
    method: parts.method,
    uri,
    route,
    from: dialog.localParty,
    to: dialog.remoteParty,
    callId: dialog.callId,
    cseq: sequence,
    contact: parts.contact,
    headers: parts.headers,
    body: parts.body,
    contentType: parts.contentType,
    maxForwards: parts.maxForwards,
  })
}

function target(dialog: Dialog): [uri: string, route: readonly string[]] {
  const [first, ...rest] = dialog.routeSet
  if (first === undefined) return [dialog.remoteTarget, []]
  const uri = parseUri(bare(first))
  // RFC 3261 12.2.1.1: first URI with lr: loose routing, the remote target stays in the Request-URI
  if (uri === undefined || uri.params.has('lr')) return [dialog.remoteTarget, dialog.routeSet]
  // RFC 3261 12.2.1.1: a strict router gets its own URI, "stripping any parameters that are not allowed in a
  // Request-URI" (19.1.1: method and headers), and the remote target as the last Route
  const params = new Map([...uri.params].filter(([name]) => name !== 'method'))
  return [writeUri({ ...uri, params, headers: undefined }), [...rest, `<${dialog.remoteTarget}>`]]
}

// RFC 3261 12.2: target refresh requests; RFC 3311 adds UPDATE, RFC 6665 SUBSCRIBE and NOTIFY, RFC 3515 REFER
function refreshesTarget(method: string): boolean {
  return (
    method === 'INVITE' || method === 'UPDATE' || method === 'SUBSCRIBE' || method === 'NOTIFY' || method === 'REFER'
  )
}

function refreshTarget(dialog: Dialog, message: SipMessage, method = cseq(message)?.method ?? ''): Dialog {
  const remoteTarget = refreshesTarget(method) ? contactUri(message) : undefined
  return remoteTarget === undefined || remoteTarget === dialog.remoteTarget
    ? dialog
    : { ...dialog, remoteTarget: flatten(remoteTarget) }
}

function contactUri(message: SipMessage): string | undefined {
  const found = contacts(message)
  if (found === '*') return undefined
  const uri = found[0]?.uri
  // RFC 3261 12.1.1: "The URI provided in the Contact header field MUST be a SIP or SIPS URI"
  return uri !== undefined && (uri.scheme === 'sip' || uri.scheme === 'sips') ? found[0]?.uriText : undefined
}

// RFC 2543 6.13 lets a caller leave Contact out: requests go to his From then (RFC 4475 3.4.1)
function callerWithoutContact(request: SipRequest): string | undefined {
  if (request.headers.has('contact')) return undefined
  const caller = from(request)
  return caller?.uri.scheme === 'sip' || caller?.uri.scheme === 'sips' ? caller.uriText : undefined
}

function recordRoutes(message: SipMessage): string[] {
  return nameAddrs(message, 'record-route').map(routeValue)
}

function routeValue(address: NameAddr): string {
  return `<${address.uriText}>`
}

function bare(route: string): string {
  return route.replace(/^<|>$/g, '')
}
