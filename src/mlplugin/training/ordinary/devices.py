"""What devices, systems, programs and games ask of their makers."""

from __future__ import annotations

from mlplugin.training.ordinary.parts import Maker, from_patterns

telemetry = from_patterns(
    "{l2}-v{n2}.events.data.microsoft.com", "v{n1}.events.data.microsoft.com",
    "{l2}{n1}-v20.events.endpoint.security.microsoft.com", "umwatson.events.{d}",
    "kmwatsonc.events.{d}", "onedscolprd{l3}{n2}.{c}.cloudapp.azure.com",
    "{n1-2}-courier.push.apple.com", "gspe{n2}-ssl.ls.apple.com", "p{n2-3}-{w}.icloud.com",
    "p{n2}-buy.itunes.apple.com", "xp.{d}", "gateway-{l3}.{d}", "mesu-{l2}.{d}",
    "device-metrics-us-{n1}.amazon.com", "unagi-{c}.amazon.{c}", "{x14}.iot.{r}.amazonaws.com",
    "{x32}.credentials.iot.{r}.amazonaws.com", "lcprd{n1}.samsungcloudsolution.net",
    "{l6}-{c}.samsungcloud.com", "log-config.{d}", "{c}.lgtvsdp.com", "{c}.ad.lgsmartad.com",
    "{w}.logs.roku.com",
    "{x9}.hpeprint.com", "h{n5}.www{n1}.hp.com", "npi{h6}.{d}", "a{n1}.tuya{c}.com",
    "m{n1}.tuya{c}.com", "{c}.api.io.mi.com", "{c}.ot.io.mi.com", "data.mistat.{c}.xiaomi.com",
    "metrics{n1}.data.hicloud.com", "{l5}-dre.dbankcloud.{c}", "device-log.{d}",
    "telemetry.{d}", "telemetry-{l2}.{d}", "events.{d}", "events-{h6}.{d}", "metrics-{l3}.{d}",
    "diag-{l2}.{d}", "crash-{n2}.{d}", "reports.{d}",
    "collector-{x8}.{d}", "collector-{n10}.us-east-1.elb.amazonaws.com", "{h32}.collector.{d}",
    "ota{n1}.{d}", "fw-update.{d}", "firmware-{l2}.{d}", "sdk-{l3}.{d}", "config-{l3}.{d}",
    "{x16}.iotcc.{d}", "iot-{x8}.{d}", "hub-{h12}.{d}", "cam-{h12}.{d}", "d-{h20}.{d}",
    "{h16}.devices.{d}", "mac{h12}.{d}", "sn{n10}.device.{d}", "ring-{h8}.{d}",
    "oculus{n4}-{h8}.{d}", "{w}.telemetry.{d}", "incoming.{d}", "beacon-{l3}{n1}.{d}",
    "heartbeat-{n2}.{d}", "sensor-{h8}.{d}", "ts{n2}-{x10}-{l2}.{l3}cloud.net",
    "{u}.telemetry.{d}", "{x24}.device.{d}",
    "lic-{h8}.{d}", "activation-{l2}.{d}", "db{n1}-{l3}.{d}", "safebrowsing-{l2}.{d}",
    "ocsp{n1}.{d}", "crl{n1}.{d}", "ocsp.{w}{n1}.{d}", "{l1}{n1}.o.lencr.org",
    "r{n2}.c.lencr.org", "{x5}-{l2}.settings.{d}", "smetrics-{w}.{d}",
)  # fmt: skip

games = from_patterns(
    "{l2}{n1-2}.{d}", "{l3}{n1-2}-{l2}.{d}", "play.{d}", "mc.{d}", "hub.{d}", "game{n2-3}.{d}",
    "gs-{-}.{d}", "gs{n3}.{l3}.{d}", "lobby-{x5}.{d}", "match-{n3}.{l2}.{d}",
    "{l2}-{l2}.lol.{d}", "na{n1}.api.{d}", "euw{n1}.{d}",
    "cm{n1-2}-{l3}{n1}.cm.steampowered.com", "ext{n1}-{l3}{n1}.steamserver.net",
    "cache{n2}-{l3}{n1}.{d}", "{h8}.{w}.{d}", "{l3}-{n2}.valve.net",
    "{h4}.playfabapi.com", "{h5}.playfabapi.com", "{x5}.playfab.com", "{x8}.gamelift.{r}.{d}",
    "{u}.gameserver.{d}", "{w}-{n2}.xboxlive.com", "gameplay.{l3}.{d}", "edge-{n2}-{l3}.{d}",
    "voice-{l3}{n2}.discord.gg", "{w}{n4}.discord.gg", "{l6}{n4-5}.discord.media",
    "{l1}-{l3}{n2}.discord.media", "rotterdam{n4-5}.{d}", "shard-{n2}.{d}", "realm{n2}.{d}",
    "{w}.aternos.me", "{w}.minehut.gg", "{w}.falixsrv.me", "patch{n1}.{d}",
    "launcher-{l3}.{d}", "ping-{l3}.{d}", "ds-{l3}-{n3}.{d}", "anticheat-{l2}.{d}",
    "p2p-{l3}.{d}", "nat-{l2}{n1}.{d}", "{l4}{n3}.{l3}.riotgames.{d}",
    "{x10}.photonengine.{d}", "ns{n2}-{x4}.{d}",
)  # fmt: skip

KINDS: tuple[Maker, ...] = (telemetry, games)
