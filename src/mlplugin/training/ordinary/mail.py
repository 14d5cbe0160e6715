"""Service records and hosts of mail and directories."""

from __future__ import annotations

from mlplugin.training.ordinary.parts import Maker, from_patterns

services = from_patterns(
    "_dmarc.{d}", "_acme-challenge.{d}", "_acme-challenge.www.{d}",
    "_acme-challenge.{l3-6}.{d}", "_sip._tls.{d}", "_sip._tcp.{d}",
    "_sip._udp.{d}", "_sips._tcp.{d}", "_sipfederationtls._tcp.{d}", "_ldap._tcp.{d}",
    "_ldaps._tcp.{d}", "_kerberos._udp.{d}",
    "_kerberos._tcp.{d}", "_kpasswd._udp.{d}", "_gc._tcp.{d}", "_443._tcp.{d}",
    "_443._tcp.www.{d}", "_25._tcp.mx.{d}", "_25._tcp.mx{n1}.{d}",
    "_imaps._tcp.{d}", "_imap._tcp.{d}", "_pop3s._tcp.{d}", "_submission._tcp.{d}",
    "_submissions._tcp.{d}", "_autodiscover._tcp.{d}",
    "_mta-sts.{d}", "_smtp._tls.{d}", "_domainconnect.{d}", "_ldap._tcp.dc._msdcs.{d}",
    "_kerberos._tcp.dc._msdcs.{d}", "_vlmcs._tcp.{d}",
    "_ldap._tcp.pdc._msdcs.{d}", "_ldap._tcp.gc._msdcs.{d}",
    "_ldap._tcp.{w}._sites.dc._msdcs.{d}", "{u}._msdcs.{d}", "{u}._msdcs.ad.{d}",
    "_ldap._tcp.{u}.domains._msdcs.{d}", "_ldap._tcp.default-first-site-name._sites.{d}",
    "_xmpp-server._tcp.{d}", "_xmpp-client._tcp.{d}",
    "_caldavs._tcp.{d}", "_carddavs._tcp.{d}", "_github-challenge-{w}.{d}",
    "_github-challenge-{w}-org.{d}", "_matrix._tcp.{d}", "_matrix-fed._tcp.{d}",
    "_minecraft._tcp.{d}", "_minecraft._tcp.{w}.{d}", "_ts3._udp.{d}", "_stun._udp.{d}",
    "_turns._tcp.{d}", "_h323cs._tcp.{d}", "_etcd-server._tcp.{d}",
    "_mongodb._tcp.{w}.{x5}.mongodb.net", "_ntp._udp.{d}", "_jabber._tcp.{d}",
    "_http._tcp.{d}", "_https.{d}", "_dns.{d}", "_dns.resolver.{d}", "_esni.{d}",
    "_pgpkey-https._tcp.{d}", "_hkps._tcp.{d}", "_atproto.{d}", "_atproto.{w}.{d}", "_psl.{d}",
    "_spf.{d}", "_spf{n1}.{d}", "_netblocks{n1}.{d}",
    "{d}._report._dmarc.{d}", "_dnslink.{d}", "_amazonses.{d}", "_vercel.{d}",
    "_gitlab-pages-verification-code.{d}", "_nfsv4idmapdomain.{d}", "_imaps._tcp.mail.{d}",
    "{x8}._bimi.{d}", "default._bimi.{d}", "_keybase.{d}", "_discord.{d}", "_token._dnswl.{d}",
    "_{n4-5}._tcp.{d}", "_8443._https.{d}", "_tcp.{d}", "_kms._tcp.{d}",
)  # fmt: skip

dkim = from_patterns(
    "selector1._domainkey.{d}", "selector2._domainkey.{d}", "google._domainkey.{d}",
    "k{n1}._domainkey.{d}", "s{n1}._domainkey.{d}", "default._domainkey.{d}",
    "dkim._domainkey.{d}", "mail._domainkey.{d}", "mandrill._domainkey.{d}",
    "mxvault._domainkey.{d}", "zoho._domainkey.{d}", "protonmail{n1}._domainkey.{d}",
    "fm{n1}._domainkey.{d}", "{x32}._domainkey.{d}", "{x16-32}._domainkey.{d}",
    "{b32}._domainkey.{d}", "{n10}.{w}._domainkey.{d}", "{n8}._domainkey.{d}",
    "s{n10}._domainkey.{d}", "hs{n1}-{n7}._domainkey.{d}", "{w}._domainkey.{d}",
    "pm._domainkey.{d}", "{n14}pm._domainkey.{d}", "scph{n4}._domainkey.{d}",
    "mte{n1}._domainkey.{d}", "m1._domainkey.{d}", "krs._domainkey.{d}",
    "mailjet._domainkey.{d}", "mg._domainkey.{d}", "pic._domainkey.mg.{d}",
    "smtpapi._domainkey.{d}",
    "200608._domainkey.{d}", "200{n3}._domainkey.{d}", "20{n2}{n4}._domainkey.{d}",
    "selector1-{w}-com._domainkey.{w}.onmicrosoft.com", "cm._domainkey.{d}",
    "{w}{n1}._domainkey.{d}", "dk{n4}._domainkey.{d}", "ed25519._domainkey.{d}",
    "rsa2048-{n8}._domainkey.{d}", "{h8}._domainkey.{d}", "{x12}.dkim.amazonses.com",
)  # fmt: skip

mail_hosts = from_patterns(
    "mx{n1-2}.{d}", "mx-{n2}.{d}", "mx{n1}-{l2}.{d}", "mail{n1-3}.{d}", "mail-{l2}{n1}.{d}",
    "smtp{n1-2}.{d}", "smtp-out-{n2}.{d}", "autodiscover.{d}", "autoconfig.{d}", "mta-sts.{d}",
    "imap.{d}", "pop.{d}", "pop3.{d}", "webmail.{d}", "owa.{d}", "exchange{n2}.{d}",
    "relay{n1}.{d}", "mailgw{n2}.{d}", "mout-{l3}-{n1}.{d}", "out{n2}-{n3}.{d}",
    "mta{n3}a-ord.mtasv.net", "a{n1-2}-{n2}.smtp-out.amazonses.com",
    "{w}-com.mail.protection.outlook.com", "{w}-{c}.mail.protection.outlook.com",
    "mail-{l2}{n1}-f{n2-3}.google.com", "mail-{l8}{n5}.outbound.protection.outlook.com",
    "mx{n1}.{l4}.{w}.hc{n4}-{n2}.iphmx.com", "esa{n1}.hc{n4}-{n2}.iphmx.com",
    "mxa-{h8}.gslb.pphosted.com", "mxb-{h8}.gslb.pphosted.com", "mx0{n1}-{h8}.pphosted.com",
    "{w}.in.tmes.trendmicro.eu", "us-smtp-inbound-{n1}.mimecast.com",
    "d{n6}a.ess.barracudanetworks.com", "{w}.mx1.ppe-hosted.com",
    "{n9-10}.in{n1}.mandrillapp.com", "mail{n3}.sea{n2}.rsgsv.net",
    "mail{n2}.atl{n2}.mcsv.net",
    "o{n1-2}.email.{d}", "wrqv{l4}.outbound-mail.sendgrid.net", "s.wfbtzhfn.outbound-mail.{d}",
    "m{n3}-{n2}.mailgun.net", "mx{n2}.antispam.mailspamprotection.com",
    "{n2}-{n3}-{n2}-{n3}.mailgun.{d}", "mail-{-}.{d}", "vps-{h8}.mail.{d}", "srv{n3}.mail.{d}",
    "cas{n2}.ad.{d}", "edge{n2}.smtp.{d}", "spf.{h8}.{d}",
)  # fmt: skip

KINDS: tuple[Maker, ...] = (services, dkim, mail_hosts)
