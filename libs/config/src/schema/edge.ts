/** `edge` and `sites`: listeners, media, limits, and the networks of the house. */
import Type from 'typebox'
import { SHAPES } from '../shapes.ts'
import {
  Bandwidth,
  Bypass,
  Digest,
  Duration,
  E164,
  list,
  Name,
  Network,
  named,
  object,
  oneOf,
  Secret,
  Srtp,
  shaped,
  text,
} from './words.ts'

const Listener = object(
  {
    url: shaped(SHAPES.listenUrl, 'transport, address and port to listen on'),
    digest: Type.Optional(Digest('digest algorithms offered (RFC 8760), preferred first')),
    certificate: Type.Optional(text('PEM certificate chain; relative to this file, else to $TANDEM_DATA/secrets')),
    privateKey: Type.Optional(text('PEM private key; relative to this file, else to $TANDEM_DATA/secrets')),
    certificates: Type.Optional(
      list(
        object(
          {
            host: shaped(SHAPES.domain, 'host name that the client asks for'),
            certificate: text('PEM certificate chain'),
            privateKey: text('PEM private key'),
          },
          'a certificate for one host name',
        ),
        'further certificates, chosen by the host name that the client asks for (SNI, RFC 6066)',
        { maxItems: 1000 },
      ),
    ),
    clients: Type.Optional(
      object(
        {
          ca: text('PEM certificates of the CAs that sign client certificates'),
          certificate: Type.Optional(
            oneOf(['required', 'optional'], 'required: no connection without one; optional: asked for'),
          ),
        },
        'mutual TLS: certificates of those who connect',
      ),
    ),
    advertise: Type.Optional(text('host or host:port written into Via and Contact when it differs from the address')),
    srtp: Srtp('of phones and trunks on it; optional over TLS, else off, when left out'),
  },
  'one SIP listener',
)

export const Edge = object(
  {
    listen: named(Listener, 'SIP listeners by name', 64),
    media: object(
      {
        relay: oneOf(['embedded', 'rtpengine'], 'who carries the audio'),
        address: Type.Optional(shaped(SHAPES.address, 'address written into SDP and bound by the embedded relay')),
        ports: Type.Optional(shaped(SHAPES.portRange, 'UDP ports of the embedded relay')),
        control: Type.Optional(
          list(shaped(SHAPES.controlUrl, 'ng control address of an rtpengine'), 'rtpengines', { maxItems: 32 }),
        ),
        inactivity: Type.Optional(Duration('hang up when neither RTP nor RTCP came from either side for this long')),
      },
      'media relay',
    ),
    registration: Type.Optional(
      object(
        {
          minimum: Type.Optional(Duration('shortest registration (RFC 3261 10.3: 423 below it)')),
          maximum: Type.Optional(Duration('longest registration')),
          flowTimer: Type.Optional(
            Duration(
              'a phone over TCP or TLS that keeps its flow alive is heard within this time (RFC 5626 Flow-Timer)',
            ),
          ),
          contacts: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 100, description: 'contacts of one user; the oldest makes room' }),
          ),
        },
        'registrar limits',
      ),
    ),
    sessionTimer: Type.Optional(Duration('session interval (RFC 4028)')),
    interim: Type.Optional(Duration('how often a call that is up is told of; three silent ones end its record')),
    cluster: Type.Optional(
      object(
        { secret: Secret },
        'several edges: what any of them wrote into a dialog, each of them can prove to be theirs',
      ),
    ),
    drain: Type.Optional(Duration('how long a stopping edge waits for its calls to end')),
    calls: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'calls at once' })),
    forks: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 200,
        description: 'INVITEs that may come of one by phones, simultaneous ring, forwarding and failover',
      }),
    ),
    stir: Type.Optional(
      object(
        {
          anchors: Type.Optional(
            list(text('PEM file'), 'certificates of the authorities that are trusted', { maxItems: 256 }),
          ),
          certificates: Type.Optional(
            Type.Record(Type.String({ maxLength: 1024 }), text('PEM file'), {
              maxProperties: 1000,
              description: 'certificate chains at hand, by the URL (x5u) under which callers name them',
            }),
          ),
          repositories: Type.Optional(
            list(text('host[:port]'), 'hosts from which certificates may be fetched by https; none when left out', {
              maxItems: 64,
            }),
          ),
          fetch: Type.Optional(
            object(
              {
                ca: Type.Optional(
                  text('PEM certificates of the CAs of the repositories; those of the system if left out'),
                ),
                networks: Type.Optional(
                  list(Network, 'private networks from which may be fetched; none when left out', { maxItems: 64 }),
                ),
              },
              'how certificates are fetched',
            ),
          ),
        },
        'STIR/SHAKEN: whom to believe',
      ),
    ),
    dns: Type.Optional(
      list(shaped(SHAPES.dnsServer, 'name server'), 'name servers; those of the machine when left out', {
        maxItems: 8,
      }),
    ),
    capture: Type.Optional(
      object(
        {
          hep: shaped(SHAPES.collectorUrl, 'collector that gets the SIP messages of calls by HEP3, as Homer'),
          id: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 4_294_967_295, description: 'capture agent id that it shows' }),
          ),
          password: Type.Optional(Secret),
        },
        'export of SIP messages, credentials, keys and places left out',
      ),
    ),
  },
  'edge proxy: listeners and media',
)

export const Site = object(
  {
    networks: Type.Optional(list(Network, 'networks of the site; a phone in one of them is inside')),
    dialPlan: Type.Optional(Name('dial plan')),
    location: Type.Optional(Name('location')),
    bandwidth: Type.Optional(Bandwidth('bandwidth of the link to the site')),
    emergencyCallback: Type.Optional(E164('number by which emergency services call back users without a DID')),
    mediaBypass: Bypass('of this site, and to trunks with mediaBypass on the same listener'),
  },
  'a site',
)
