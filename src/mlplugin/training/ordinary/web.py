"""Advertising, counting and clicks: hosts with customers' numbers and hashes in them."""

from __future__ import annotations

from mlplugin.training.ordinary.parts import Maker, from_patterns

advertising = from_patterns(
    "{h32}.safeframe.googlesyndication.com", "{n7-8}.fls.doubleclick.net", "{w}.demdex.net",
    "{w}.sc.omtrdc.net",
    "{w}.tt.omtrdc.net", "{w}.d{n1}.sc.omtrdc.net", "smetrics.{d}", "metrics.{d}",
    "{n9-10}.log.optimizely.com",
    "o{n5-16}.ingest.sentry.io", "o{n16}.ingest.us.sentry.io", "{h16}.ingest.de.sentry.io",
    "{w}.evergage.com",
    "{u}.redfastlabs.com", "{x7}.adform.net", "{n6}.collect.igodigital.com",
    "{n5-7}.global.siteimproveanalytics.io",
    "{x16}.litix.io", "{h8}.tracking.{d}", "{w}.ads.{d}", "pixel-{w}.{d}", "sync-{x5}.{d}",
    "{h8}.ssl.cf{n1}.rackcdn.com",
    "{n6}-{n3}.chat.api.drift.com", "{x8}.{c}.adnxs.net", "ib-{l3}{n1}.adnxs.com",
    "{l3}{n1}-{x6}.rubiconproject.com",
    "{h12}.bidswitch.net", "{u}.edge.adobedc.net", "adobedc.{d}", "{x5-7}.sp.{d}",
    "{w}.ct.impactcdn.com", "{x6}.pxf.io",
    "{w}.{x4-6}.net", "{w}.sjv.io", "{w}.7eer.net", "{x6}.evyy.net", "{w}.go2cloud.org",
    "{w}.hasoffers.com",
    "{w}.g2afse.com", "{w}.onelink.me", "{x5}.app.link", "{w}.app.link",
    "{x4-6}.test-app.link", "{x6}.adj.st",
    "{h32}.cdn.branch.io", "{n2}.{w}.imrworldwide.com", "secure-{l2}.imrworldwide.com",
    "{w}.2o7.net", "{x8}.kampyle.com",
    "s{n4}.t.eloqua.com", "s{n9-10}.t.eloqua.com", "{n3}-{l3}-{n3}.mktoresp.com",
    "{n3}-{l3}-{n3}.mktoutil.com", "app-{l4}{n2}.marketo.com",
    "tr{n1-2}.{d}", "t{n1}.{d}", "js-{h8}.hs-sites.com", "{n7-8}.hs-sites.com",
    "{n7-8}.fs{n1}.hubspotusercontent-na1.net",
    "{h10}.{d}", "b{n1}.stats.{d}", "cm.{w}.adsrvr.org", "{l3}-prebid.{d}",
    "{x10}.cloudfunnels.net", "{h8}{h8}.vidazoo.com",
    "{n9-13}.rsc.contentdomain.net", "{l4}{n2}-eu.ads.{d}", "w{n2}.ads.{d}", "{w}.piwik.pro",
    "{w}.matomo.cloud",
    "{x16}.appsflyersdk.com", "{x6}-launches.appsflyersdk.com",
    "{x6}-conversions.appsflyersdk.com", "{x32}.app-measurement.com",
)  # fmt: skip

clicks = from_patterns(
    "u{n7-8}.ct.sendgrid.net", "url{n3-4}.{d}", "em{n4}.{d}", "link.{d}", "links.{d}",
    "click.{d}", "click.e.{d}", "click.email.{d}",
    "click.mail.{d}", "click.news.{d}", "email.mg.{d}", "email.{d}", "trk.{d}", "track.{d}",
    "go.{d}", "t.{d}", "e.{d}", "ablink.{d}",
    "{x8}.r.{r}.awstrack.me", "{w}.us{n1-2}.list-manage.com", "mailchi.mp.{d}",
    "mcusercontent-{h8}.{d}", "{x6}.emlnk{n1}.com",
    "{w}.emlnk.com", "{w}.acemlna.com", "{w}.activehosted.com", "{x5}.trk.elasticemail.com",
    "{x6}.r.ah.d.sendibm{n1}.com",
    "{x8}.r.bh.d.sendibt{n1}.com", "{n7-8}.hubspotlinks.com", "{x10}.eu1.hubspotlinks.com",
    "{x7}.na1.hs-sales-engage.com",
    "d{x5}{n2}.na1.hubspotlinks.com", "hs-{n7-8}.s.hubspotemail.net", "trk.klclick{n1}.com",
    "ctrk.klclick{n1}.com", "{x10}.mailjet-eu.com",
    "{x5}.mjt.lu", "{x5}.sib{n1}.{d}", "{x12}.mkt{n4}.com", "{w}.mkt{n3}.net",
    "{n6-9}.{w}.pro.hubspot.email", "{w}.cmail{n1-2}.com",
    "{w}.createsend{n1}.com", "{x6}.createsend.com", "pages.{d}", "view.{d}", "image.e.{d}",
    "view.email.{d}", "cl.s{n2}.exct.net",
    "{x14}.pub.sfmc-content.com", "mc{x26}.pub.sfmc-content.com",
    "mc{x26}.rest.marketingcloudapis.com", "{h28}.auth.marketingcloudapis.com",
    "{x8}.customeriomail.com", "{h16}.customerio.{d}", "e{n4}.customeriomail.com",
    "mandrillapp-{n8}.{d}", "o{n1-2}.ptr{n4}.{d}", "{u}.unsubscribe.{d}",
    "{b32}.click.{d}", "{x40-60}.links.{d}", "{h24}.e.{d}", "{x24}-{x12}.track.{d}",
    "bounce-{x16}.mail.{d}", "{n10}.spmta.com",
)  # fmt: skip

portals = from_patterns(
    "login.{d}", "secure.{d}", "account.{d}", "accounts.{d}", "id.{d}", "sso.{d}", "auth.{d}",
    "signin.{d}", "verify.{d}", "pay.{d}",
    "payment.{d}", "wallet.{d}", "my.{d}", "mein.{d}", "online.{d}", "ebanking.{d}",
    "banking.{d}", "netbanking.{d}", "securelogin.{d}",
    "support.{d}", "help.{d}", "update.{d}", "updates.{d}", "download.{d}", "api.{d}",
    "status.{d}", "shop.{d}", "checkout.{d}",
    "secure{n1-2}.{d}", "www{n1-2}.{d}", "m.{d}", "mobile.{d}", "app.{d}", "portal.{d}",
    "customer.{d}", "identity.{d}", "oauth.{d}",
    "login-{l2}.{d}", "{l2}.{d}", "{c}.{d}", "{l2}-{l2}.{d}", "beta.{d}", "dev.{d}",
    "staging.{d}", "cdn-{n1}.{d}", "static-{l4}.{d}",
    "img{n1-2}.{d}", "assets-{h6}.{d}", "{h8}.apps.{d}", "{w}.apps.{d}", "{w}.my.{d}",
    "s3.{d}", "edge-{l3}{n1}.{d}", "{l3}{n1-2}.{d}", "{l1}.{d}",
    "{l2}{n1-3}.{d}", "ws-{l2}{n1}.{d}", "gw{n1}.{d}", "{l4}-{l3}-{n2}.{d}", "push-{n3}.{d}",
    "rt-{x6}.{d}", "mqtt-{l2}.{d}",
)  # fmt: skip

gateways = from_patterns(
    "bafybei{b52}.ipfs.dweb.link", "bafybei{b52}.ipfs.w3s.link", "bafkrei{b52}.ipfs.w3s.link",
    "bafybei{b52}.ipfs.nftstorage.link",
    "bafkrei{b52}.ipfs.dweb.link", "k51qzi5uqu5d{x50}.ipns.dweb.link",
    "bafybei{b52}.ipfs.cf-ipfs.com", "bafybei{b52}.ipfs.inbrowser.link",
    "{w}.mypinata.cloud", "{l5}-{l7}-{l6}-{n3}.mypinata.cloud", "{w}.infura-ipfs.io",
    "{w}-mainnet.infura.io", "eth-mainnet.g.{d}", "{w}.eth.limo",
    "{w}.eth.link", "{l5}-{l3}-{l5}.{c}-mainnet.quiknode.pro",
    "{x5}-{x5}-{x5}-{x5}-cai.icp0.io", "{x5}-{x5}-{x5}-{x5}-{x3}.ic0.app", "{x32}.arweave.net",
    "rpc-{w}.{d}", "seed.{w}.{d}", "dnsseed.{d}", "node{n1-3}.{w}.network",
    "{x8}-rpc.publicnode.com", "{b52}.arweave.dev", "{w}.blockscout.com",
    "{l16}.nodes.dev.{d}", "{b26}.mainnet.ethdisco.net", "all.mainnet.{d}", "x{n2}.seed.{d}",
)  # fmt: skip

KINDS: tuple[Maker, ...] = (advertising, clicks, portals, gateways)
