/** The XML namespaces of presence and location documents, each with the prefix we write. */
export const PIDF = 'urn:ietf:params:xml:ns:pidf' // RFC 3863
export const DATA_MODEL = 'urn:ietf:params:xml:ns:pidf:data-model' // RFC 4479
export const RPID = 'urn:ietf:params:xml:ns:pidf:rpid' // RFC 4480
export const GEOPRIV = 'urn:ietf:params:xml:ns:pidf:geopriv10' // RFC 4119
export const BASIC_POLICY = 'urn:ietf:params:xml:ns:pidf:geopriv10:basicPolicy' // RFC 4119
export const DATA_PROVIDER = 'urn:ietf:params:xml:ns:pidf:geopriv10:dataProvider' // RFC 4119 A.1
export const CIVIC = 'urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr' // RFC 5139
export const CIVIC_EXT = 'urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr:ext' // RFC 6848
export const CONFIDENCE = 'urn:ietf:params:xml:ns:geopriv:conf' // RFC 7459
export const GML = 'http://www.opengis.net/gml' // RFC 5491 5
export const SHAPES = 'http://www.opengis.net/pidflo/1.0' // RFC 5491 5
export const DIALOG_INFO = 'urn:ietf:params:xml:ns:dialog-info' // RFC 4235
export const XML = 'http://www.w3.org/XML/1998/namespace'
