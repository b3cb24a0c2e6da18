/** `trunks`: a way to a service provider, what it takes and how it is judged. */
import Type from 'typebox'
import { SHAPES } from '../shapes.ts'
import { Direction, Redirect, Transfer, Window } from './dialling.ts'
import {
  Bandwidth,
  Bypass,
  Codecs,
  Digest,
  Duration,
  E164,
  list,
  Name,
  object,
  oneOf,
  Pattern,
  Secret,
  Srtp,
  shaped,
  text,
} from './words.ts'

const ratio = (what: string) =>
  Type.Optional(
    object(
      {
        below: shaped(SHAPES.percent, 'the trunk is demoted when it falls below'),
        back: Type.Optional(shaped(SHAPES.percent, 'and comes back at this; 10 points above when left out')),
      },
      what,
    ),
  )

const Quality = object(
  {
    asr: ratio('answer-seizure ratio: calls answered of calls sent (ITU-T E.411)'),
    ner: ratio('network effectiveness ratio: answered, busy, not picked up or declined of calls sent (ITU-T E.425)'),
    pdd: Type.Optional(
      object(
        {
          above: Duration('the trunk is demoted when the mean post-dial delay rises above'),
          back: Type.Optional(Duration('and comes back at this; four fifths of above when left out')),
        },
        'post-dial delay: INVITE to the first ringing or answer',
      ),
    ),
    window: Type.Optional(Duration('calls of this time count')),
    calls: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 100_000, description: 'nothing is judged by fewer calls than this' }),
    ),
    probe: Type.Optional(shaped(SHAPES.percent, 'share of calls that tries a demoted trunk in its ordinary place')),
    pause: Type.Optional(Duration('a demoted trunk that too few calls have tried comes back after this')),
  },
  'demotion by quality; emergency calls are not ordered by it',
)

export const Trunk = object(
  {
    to: list(
      shaped(SHAPES.sipUri, 'SIP URI of the carrier'),
      'where calls are sent, in order (RFC 3263 when no port or address is given)',
      { maxItems: 32 },
    ),
    from: Type.Optional(
      list(shaped(SHAPES.peer, 'address or network, port optional'), 'who may call in on it', { maxItems: 256 }),
    ),
    numbers: Type.Optional(
      list(
        shaped(SHAPES.e164Start, 'a DID, or what DIDs begin with'),
        'DIDs that come in on it: tells it apart from trunks at the same address, the longest beginning wins',
      ),
    ),
    hosts: Type.Optional(
      list(
        shaped(SHAPES.domain, 'host name'),
        'hosts in the Request-URI of calls from it: tells it apart from trunks at the same address',
        { maxItems: 64 },
      ),
    ),
    listener: Name('listener of edge.listen'),
    transport: Type.Optional(
      oneOf(
        ['auto', 'udp'],
        'auto: requests over 1300 bytes go by TCP where the carrier takes it (RFC 3261 18.1.1); udp: never',
      ),
    ),
    tls: Type.Optional(
      object(
        {
          ca: Type.Optional(text("PEM certificates of the carrier's CAs; those of the system when left out")),
          names: Type.Optional(
            list(
              shaped(SHAPES.certificateName, 'SIP domain'),
              "names of which the carrier's certificate must hold one (RFC 5922); the hosts of to when left out",
              { maxItems: 64 },
            ),
          ),
          verify: Type.Optional(
            Type.Boolean({ description: 'false: anybody who takes the connection is believed to be the carrier' }),
          ),
          certificate: Type.Optional(text('PEM certificate chain that we show to the carrier')),
          privateKey: Type.Optional(text('PEM private key of it')),
          clientCertificate: Type.Optional(
            oneOf(
              ['required', 'optional'],
              'calls in are known by the certificate; required: by nothing else; optional: from does as well',
            ),
          ),
        },
        'TLS with this carrier',
      ),
    ),
    outboundProxy: Type.Optional(
      shaped(SHAPES.sipUri, 'where every request of this trunk goes first, REGISTER too; the rest follows as Route'),
    ),
    translate: Type.Optional(
      object({ outbound: Direction('outbound'), inbound: Direction('inbound') }, 'number translation at the trunk'),
    ),
    options: Type.Optional(
      object(
        {
          interval: Type.Optional(Duration('how often OPTIONS is sent')),
          up: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 100, description: 'answers in a row before the trunk is up' }),
          ),
          down: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 100, description: 'silences in a row before it is down' }),
          ),
          alive: Type.Optional(
            list(
              Type.Integer({ minimum: 200, maximum: 699 }),
              'status codes that prove it alive; any final response when left out',
              { maxItems: 64 },
            ),
          ),
        },
        'health check by OPTIONS',
      ),
    ),
    register: Type.Optional(
      object(
        {
          registrar: shaped(SHAPES.sipUri, 'SIP URI of the registrar'),
          user: text('user part of the address of record and digest user name'),
          password: Secret,
          expires: Type.Optional(Duration('registration time asked for')),
          bulk: Type.Optional(
            Type.Boolean({ description: 'for all numbers at once (RFC 6140): Contact with bnc, Require: gin' }),
          ),
          nodes: Type.Optional(
            oneOf(
              ['every', 'one'],
              'every: each edge registers, as flows of one instance (RFC 5626); one: a single edge, for carriers that keep one contact; calls leave through an edge that registered',
            ),
          ),
        },
        'registration with the carrier',
      ),
    ),
    credentials: Type.Optional(
      object(
        { user: text('digest user name'), password: Secret },
        'digest credentials for a carrier that challenges without registration',
      ),
    ),
    authenticate: Type.Optional(
      object(
        {
          user: text('digest user name'),
          password: Secret,
          digest: Type.Optional(Digest('digest algorithms; those of the listener when left out')),
        },
        'digest credentials that calls in must prove, from the addresses of from, or from anywhere without from',
      ),
    ),
    limits: Type.Optional(
      object(
        {
          calls: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'calls at once' })),
          callsPerSecond: Type.Optional(
            Type.Number({ exclusiveMinimum: 0, maximum: 100_000, description: 'new calls per second' }),
          ),
          bandwidth: Type.Optional(Bandwidth('audio bandwidth')),
        },
        'admission limits',
      ),
    ),
    quality: Type.Optional(Quality),
    emergency: Type.Optional(Type.Boolean({ description: 'may carry emergency calls' })),
    cost: Type.Optional(Name('rate deck')),
    retry: Type.Optional(
      list(Type.Integer({ minimum: 400, maximum: 699 }), 'final responses after which the next trunk is tried', {
        minItems: 0,
        maxItems: 64,
        uniqueItems: true,
      }),
    ),
    timers: Type.Optional(
      object(
        {
          noResponse: Type.Optional(Duration('no response at all: next trunk')),
          tryingOnly: Type.Optional(Duration('only 100 Trying: next trunk')),
        },
        'fail-over timers of ordinary calls',
      ),
    ),
    country: Type.Optional(shaped(SHAPES.country, 'how numbers from this carrier without a country code are read')),
    dialPlan: Type.Optional(Name('dial plan')),
    usages: Type.Optional(
      list(Name('PSTN usage'), 'usages of calls arriving on it that leave to the PSTN again; none when left out', {
        minItems: 0,
      }),
    ),
    did: Type.Optional(oneOf(['request-uri', 'to', 'p-called-party-id'], 'where the called DID is read')),
    callerId: Type.Optional(
      object(
        {
          allow: list(Pattern, 'E.164 numbers that may be shown to this carrier', { maxItems: 1000 }),
          otherwise: Type.Optional(
            oneOf(['replace', 'suppress', 'reject'], 'any other: show number, show none, or do not use this trunk'),
          ),
          number: Type.Optional(E164('shown in place of one that is not allowed')),
        },
        'numbers that may be shown to this carrier; emergency calls are never held up by it',
      ),
    ),
    priority: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 65535, description: 'lower first among the trunks of a route' }),
    ),
    weight: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 65535, description: 'share among trunks of equal priority and cost' }),
    ),
    when: Type.Optional(list(Window, 'when it is used; always when left out', { maxItems: 64 })),
    prack: Type.Optional(
      oneOf(
        ['supported', 'required', 'off'],
        'reliable provisional responses (RFC 3262) of this carrier: offered (default), insisted on, or not spoken of',
      ),
    ),
    trusted: Type.Optional(
      Type.Boolean({ description: 'P-Asserted-Identity is sent to and believed from this carrier (RFC 3325)' }),
    ),
    transfer: Transfer('this carrier'),
    stir: Type.Optional(
      object(
        {
          sign: Type.Optional(
            object(
              {
                x5u: text('https URL of our certificate, as verifiers fetch it', { pattern: '^https://' }),
                key: Secret,
                attestation: Type.Optional(
                  oneOf(
                    ['auto', 'full', 'partial', 'gateway'],
                    'SHAKEN level (RFC 8588); auto: full for a number of ours, partial for another, gateway for transit',
                  ),
                ),
              },
              'sign what goes out (RFC 8224); the key is EC P-256 in PEM',
            ),
          ),
          verify: Type.Optional(
            object(
              {
                missing: Type.Optional(oneOf(['allow', 'reject'], 'a call without Identity: 428 when rejected')),
                invalid: Type.Optional(
                  oneOf(['allow', 'reject'], 'one that proves wrong: 403, 436, 437 or 438 when rejected'),
                ),
              },
              'look at what comes in; phones are told by verstat',
            ),
          ),
        },
        'STIR/SHAKEN: signed caller identity',
      ),
    ),
    srtp: Srtp('on this trunk; that of the listener when left out'),
    codecs: Codecs,
    mediaBypass: Bypass('of sites with mediaBypass on the same listener and this trunk'),
    redirect: Redirect('this carrier'),
  },
  'a SIP trunk',
)
