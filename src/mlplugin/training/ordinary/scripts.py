"""Names in other scripts than plain Latin, as the A-labels that the DNS carries."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import idna

from mlplugin.training.ordinary.parts import Maker


@dataclass(frozen=True)
class _Script:
    """A stock of everyday words and syllables, and the suffixes that go with them."""

    words: tuple[str, ...]
    syllables: tuple[str, ...]
    suffixes: tuple[str, ...]
    joints: tuple[str, ...] = ("", "", "-")


def _stock(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_SCRIPTS = {
    "cyrillic": _Script(
        _stock(
            "дом сад город новости работа магазин школа книга музыка кино театр погода авто "
            "мебель окна двери ремонт строй кухня цветы здоровье аптека врач клиника спорт "
            "туризм отель билеты деньги банк кредит право закон юрист завод сталь лес вода хлеб "
            "молоко рыба мясо чай кофе рецепты дети игрушки одежда обувь часы подарки праздник "
            "свадьба фото видео игры портал форум почта связь сервис центр союз мир весна зима "
            "река море солнце україна київ робота новини освіта здоров'я меблі квіти софия "
            "българия новини работа магазин храна книги србија вести посао школа кућа"
        ),
        _stock(
            "ва ре но ми ста пра мо кро ли зе до ста гра во ру ка то ни ле со ба ви ну ти ме ло "
            "ко ра по се та да ма ча ше жи бо ро пе ла"
        ),
        (
            "xn--p1ai", "xn--p1ai", "com", "ru", "xn--j1amh", "xn--90ae", "xn--90a3ac",
            "xn--80asehdb", "xn--80adxhks", "com.ua", "org",
        ),
    ),
    "greek": _Script(
        _stock(
            "σπίτι βιβλίο θάλασσα ήλιος νέα αγορά σχολείο δρόμος πόλη μουσική ταξίδι ελιά κρασί "
            "ψωμί γάλα καφές υγεία γιατρός φαρμακείο νόμος τράπεζα εργασία παιδί λουλούδι κήπος "
            "νησί βουνό ποτάμι ρολόι φίλος κουζίνα έπιπλα αυτοκίνητο ξενοδοχείο εστιατόριο "
            "γάμος δώρα παιχνίδια εκδόσεις τέχνη"
        ),
        _stock("κα λο μα ρη πο τα νι σε δη με θα λα πα ρο στα κι νο βα τρι γε φω χα ζω"),
        ("gr", "gr", "xn--qxam", "com", "eu", "com.gr"),
    ),
    "arabic": _Script(
        _stock(
            "بيت كتاب مدرسة مدينة سوق أخبار رياضة صحة طبيب سيارة سفر فندق مطعم قهوة شاي خبز ماء "
            "شمس قمر بحر نهر جبل حديقة زهور موسيقى فيلم العاب اطفال ملابس هدايا عطور ذهب بنك "
            "قانون محامي عمل وظائف تعليم جامعة مكتبة صور طعام وصفات عقار بناء شركة خدمات تجارة "
            "موقع عرب"
        ),
        _stock("با لا مو ري سا ني دا كا فا تي هو نا را جا شو طا ما قي عا"),
        (
            "com", "net", "xn--mgberp4a5d4ar", "xn--mgbaam7a8h", "xn--wgbh1c", "xn--ngbc5azd",
            "org", "xn--mgbayh7gpa",
        ),
    ),
    "persian": _Script(
        _stock(
            "خانه کتاب مدرسه شهر بازار خبر ورزش سلامت پزشک خودرو سفر هتل رستوران چای نان آب "
            "آفتاب دریا کوه باغ گل آهنگ کودک لباس هدیه طلا بانک وکیل کار آموزش دانشگاه عکس "
            "آشپزی پوشاک پارچه گردشگری چاپ"
        ),
        _stock("پا چه گو ژا می را سا نو دا کی شا بر تا"),
        ("com", "ir", "net", "xn--mgba3a4f16a"),
    ),
    "hebrew": _Script(
        _stock(
            "בית ספר עיר חדשות שוק ים שמש בריאות רופא רכב טיול מלון מסעדה קפה תה לחם מים גן "
            "פרחים מוזיקה סרט משחקים ילדים בגדים מתנות זהב בנק משפט עבודה לימודים תמונות אוכל "
            "מתכונים נדלן בניה חברה שירות מסחר אתר ישראל ירושלים חיפה"
        ),
        _stock("בא לי מו רה שא ני דו כי פא תו הר נא גל טו קי"),
        ("com", "co.il", "xn--4dbrk0ce", "net", "org.il"),
    ),
    "devanagari": _Script(
        _stock(
            "घर पुस्तक विद्यालय नगर बाजार समाचार खेल स्वास्थ्य चिकित्सक यात्रा होटल चाय दूध रोटी पानी "
            "सूर्य चाँद नदी पर्वत बगीचा फूल संगीत चलचित्र बच्चे कपड़े उपहार सोना न्याय काम शिक्षा ज्ञान "
            "चित्र भोजन कंपनी सेवा व्यापार भारत दिल्ली मुंबई हिन्दी कविता नौकरी मित्र"
        ),
        _stock("का ना मे रि सा तो पु लि वा दे हा गि शा मा नी रा"),
        ("com", "xn--h2brj9c", "xn--h2brj9c", "in", "xn--11b4c3d", "net"),
    ),
    "bengali": _Script(
        _stock(
            "বাড়ি বই শহর বাজার খবর খেলা ডাক্তার ভ্রমণ হোটেল চা দুধ জল সূর্য নদী পাহাড় বাগান ফুল "
            "গান শিশু উপহার সোনা কাজ শিক্ষা ছবি খাবার সেবা বাংলা ঢাকা"
        ),
        _stock("কা না মি রা সা তো বা লি দা"),
        ("com", "xn--54b7fta0cc", "xn--45brj9c", "net"),
    ),
    "tamil": _Script(
        _stock(
            "வீடு புத்தகம் பள்ளி நகரம் சந்தை செய்தி விளையாட்டு மருத்துவர் பயணம் உணவு தேநீர் பால் நீர் சூரியன் "
            "நிலா கடல் மலை தோட்டம் மலர் இசை படம் குழந்தை உடை பரிசு தங்கம் வேலை கல்வி தமிழ் சென்னை"
        ),
        _stock("கா நா மி ரா பு தி வா லி"),
        ("com", "xn--xkc2dl3a5ee0h", "xn--xkc2al3hye2a", "net"),
    ),
    "thai": _Script(
        _stock(
            "บ้าน หนังสือ โรงเรียน เมือง ตลาด ข่าว กีฬา สุขภาพ หมอ รถ เที่ยว โรงแรม อาหาร กาแฟ ชา "
            "ขนม น้ำ แดด ทะเล ภูเขา สวน ดอกไม้ เพลง หนัง เกม เด็ก เสื้อผ้า ของขวัญ ทอง ธนาคาร กฎหมาย "
            "งาน เรียน รูป บริษัท บริการ ไทย กรุงเทพ เชียงใหม่ ยา ครัว"
        ),
        _stock("กา มา นา รา ทา สา พา ลา ดี มี ปู โต ขา"),
        ("com", "xn--o3cw4h", "in.th", "co.th", "net"),
        ("", "", ""),
    ),
    "han": _Script(
        _stock(
            "北京 上海 广州 深圳 新闻 商城 学校 图书 音乐 电影 天气 汽车 家具 装修 花园 健康 "
            "医院 药房 体育 旅游 酒店 银行 法律 工厂 钢铁 茶叶 咖啡 食谱 儿童 玩具 服装 手表 "
            "礼品 摄影 游戏 论坛 邮箱 通信 服务 中心 世界 春天 大海 太阳 臺灣 臺北 書店 電腦 "
            "餐廳 香港 購物 教育 大学 招聘 公司 集团 网络 科技 电子 机械 化工 建材 物流 食品"
        ),
        _stock(
            "山 水 火 木 金 土 日 月 人 口 手 心 大 小 中 上 下 天 地 东 西 南 北 春 秋 红 白 "
            "青 黄 龙 凤 华 明 安 美 乐 福 宝 光 海 江 河 林 云 星 石 玉"
        ),
        (
            "com", "cn", "xn--fiqs8s", "xn--fiqs8s", "xn--55qx5d", "xn--io0a7i", "net",
            "xn--kprw13d", "tw", "hk", "xn--vuq861b", "xn--3ds443g",
        ),
        ("", "", ""),
    ),
    "kana": _Script(
        _stock(
            "さくら ひまわり おにぎり ラーメン カフェ ホテル ニュース ゲーム ペット アニメ "
            "パン屋 東京 大阪 京都 温泉 旅行 病院 学校 図書館 写真 音楽 映画 不動産 求人 転職 "
            "保険 美容室 歯科 弁護士 引越し 通販 レシピ ダイエット ブログ お茶 日本酒 和食 着物 "
            "花屋 居酒屋 まとめ ショップ ドットコム 工務店 整体 税理士 中古車"
        ),
        _stock(
            "か き く さ し た ち な に は ひ ま み や ゆ よ ら り る わ カ シ タ ナ マ ラ リ "
            "ン ト ス"
        ),
        ("com", "jp", "jp", "net", "xn--q9jyb4c", "xn--tckwe", "tokyo"),
        ("", "", ""),
    ),
    "hangul": _Script(
        _stock(
            "집 책 학교 도시 시장 뉴스 운동 건강 의사 자동차 여행 호텔 식당 커피 녹차 빵집 바다 "
            "태양 강 산 정원 꽃집 음악 영화 게임 아이 옷가게 선물 금 은행 법률 일자리 교육 사진 "
            "요리 회사 서비스 한국 서울 부산 대구 인천 제주 병원 약국 부동산 이사 청소 결혼 "
            "가구 인테리어 맛집 쇼핑몰 커뮤니티"
        ),
        _stock(
            "가 나 다 라 마 바 사 아 자 하 고 노 도 로 모 보 소 오 조 호 기 니 디 리 미 비 시 "
            "이 지 우 유 은 한 진 성"
        ),
        ("com", "kr", "co.kr", "xn--3e0b707e", "net", "xn--t60b56a", "xn--mk1bu44c"),
        ("", "", "", "-"),
    ),
    "german": _Script(
        _stock(
            "bäckerei küche möbel gärtner schön grün blüten müller schäfer köln düsseldorf "
            "zürich münster lübeck räder tür fenster frühstück gemüse straße größe würzburg "
            "göttingen hörgeräte zahnärzte fußball glück brücke schlüssel hütte käse süß über "
            "bücher geschäft gebäude"
        ),
        _stock("bä mü schö lü kä frö gü rö wä tür grü haus berg dorf land hof"),
        ("de", "de", "at", "ch", "com", "eu", "net"),
        ("", "-", "-"),
    ),
    "romance": _Script(
        _stock(
            "café hôtel forêt château santé beauté théâtre crêperie pâtisserie rhône île élysée "
            "été français école métier piñata españa niño año montaña señor peluquería "
            "jardinería álava málaga cádiz logroño são paulo coração saúde educação ação pão "
            "avô irmã função caffè città università perché así lucía catalunya façana plaça"
        ),
        _stock("é â ção ñe mé ré lé né ça tê fô à mô pé sé ba la ma ri to"),
        ("fr", "es", "com", "com.br", "pt", "it", "cat", "eu", "ch", "be", "net", "pf"),
        ("", "-", "-"),
    ),
    "nordic": _Script(
        _stock(
            "smörgås kött fågel skärgård göteborg malmö örebro västerås köpa bröd tåg båt hälsa "
            "sjö ö älg blåbär rødgrød københavn århus ålborg køb smørrebrød fjord tromsø bodø "
            "ålesund brød hyttebygg møbler båter sjømat tähti yö sää jyväskylä hämeenlinna "
            "pöytä kylä ísland reykjavík þór ævintýri"
        ),
        _stock("ä ö å sjö ly kö bä rå mö hå ø fø lø by vik dal berg sund"),
        ("se", "no", "dk", "fi", "is", "com", "nu"),
        ("", "-", ""),
    ),
    "slavic_latin": _Script(
        _stock(
            "żółw łódź kraków wrocław poznań gdańsk święta zdrowie książka piękny źródło mąka "
            "część ćwiczenia čokoláda kůň říčany plzeň děti zdraví knížka škoda žena město "
            "hřiště účet jídlo život šťastie čučoriedka žilina ľubovňa čevapčići šibenik đak "
            "žito kruška srečanje škofja kőszeg győr kávé étterem gyógyszertár könyv fürdő "
            "szőlő"
        ),
        _stock("ża ło śni ćma ří če šu ži dě ně ů őr ké sza ľa ňo"),
        ("pl", "pl", "cz", "sk", "hu", "si", "hr", "com", "eu", "rs"),
        ("", "-", ""),
    ),
    "turkish_baltic": _Script(
        _stock(
            "güneş çiçek şehir öğretmen eğitim sağlık müzik çocuk alışveriş gümüş köy ağaç "
            "türkiye diyarbakır muğla kırşehir çanta ışık veda ülke ūkis žuvis ąžuolas šventė "
            "mėsa sūris rīga jūrmala ģimene ķirsis ēdiens õun jõgi kõrvits mäe tänav öö việt hà "
            "nội sài gòn phở cà phê du lịch đà nẵng huế băng tăng"
        ),
        _stock("gü şe çi ö ğa ı mü ša ė ū ī ķi õ ä đa ơn ế"),
        ("com", "com.tr", "lt", "lv", "ee", "vn", "net", "org", "com.vn"),
        ("", "-", ""),
    ),
    "caucasus": _Script(
        _stock(
            "სახლი წიგნი ქალაქი ბაზარი ახალი მზე ზღვა მთა ღვინო პური სკოლა მუსიკა თბილისი "
            "ბათუმი საქართველო տուն գիրք քաղաք շուկա լուր արև ծով սար գինի հաց դպրոց "
            "երաժշտություն երևան հայաստան"
        ),
        _stock(""),
        ("com", "xn--node", "xn--y9a3aq", "ge", "am", "net"),
        ("", "-"),
    ),
}  # fmt: skip
_HOSTS = ("", "", "", "", "www.", "www.", "mail.", "m.", "shop.", "blog.")


def _label(rng: random.Random, script: _Script) -> str:
    form = rng.randrange(6)
    if not script.syllables and form >= 3:
        form = 1
    if form == 0:
        return rng.choice(script.words)
    if form <= 2:
        return rng.choice(script.joints).join(rng.choices(script.words, k=2))
    made = "".join(rng.choices(script.syllables, k=rng.randint(2, 5)))
    if form == 3:
        return made
    return made + rng.choice(script.joints) + rng.choice(script.words)


def international(rng: random.Random, _: Sequence[str]) -> str:
    """A name made of everyday words or syllables of one script."""
    while True:
        script = _SCRIPTS[rng.choice(tuple(_SCRIPTS))]
        try:
            label = idna.encode(_label(rng, script), uts46=True).decode("ascii")
        except idna.IDNAError:  # too long, or letters that may not stand so in that script
            continue
        if "." not in label:
            return f"{rng.choice(_HOSTS)}{label}.{rng.choice(script.suffixes)}"


# Twice: there are more scripts than any other kind has forms.
KINDS: tuple[Maker, ...] = (international, international)
