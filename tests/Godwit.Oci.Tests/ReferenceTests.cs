using CsCheck;

namespace Godwit.Oci.Tests;

/// <summary>Names are read as docker reads them; the rules are the distribution project's reference grammar and its normalisation.</summary>
public sealed class ReferenceTests
{
    private const string Hash = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    private static readonly ReferenceRules Rules = new() { DefaultRegistryNames = ["registry.example", "index.registry.example"] };

    [Theory]
    [InlineData("busybox", null, "library/busybox", null, "busybox")]
    [InlineData("busybox:1.36", null, "library/busybox", "1.36", "busybox:1.36")]
    [InlineData("library/busybox", null, "library/busybox", null, "busybox")]
    [InlineData("team/app", null, "team/app", null, "team/app")]
    [InlineData("a/b/c", null, "a/b/c", null, "a/b/c")]
    [InlineData("registry.example/library/busybox:x", null, "library/busybox", "x", "busybox:x")]
    [InlineData("index.registry.example/busybox", null, "library/busybox", null, "busybox")]
    [InlineData("localhost/app", "localhost", "app", null, "localhost/app")]
    [InlineData("localhost:5000/app", "localhost:5000", "app", null, "localhost:5000/app")]
    [InlineData("localhost:5000/library/app:v1", "localhost:5000", "library/app", "v1", "localhost:5000/library/app:v1")]
    [InlineData("127.0.0.1:5000/app", "127.0.0.1:5000", "app", null, "127.0.0.1:5000/app")]
    [InlineData("[2001:db8::1]:5000/app:x", "[2001:db8::1]:5000", "app", "x", "[2001:db8::1]:5000/app:x")]
    [InlineData("other.example/app", "other.example", "app", null, "other.example/app")]
    [InlineData("Upper/app", "Upper", "app", null, "Upper/app")]
    [InlineData("a__b/c-d--e/f.g", null, "a__b/c-d--e/f.g", null, "a__b/c-d--e/f.g")]
    [InlineData("app:_tag.x-Y", null, "library/app", "_tag.x-Y", "app:_tag.x-Y")]
    public void Names_are_split_and_normalised(string text, string? registry, string repository, string? tag, string familiar)
    {
        var reference = Rules.Parse(text);
        Assert.Equal((registry, repository, tag, null), (reference.Registry, reference.Repository, reference.Tag, reference.Digest));
        Assert.Equal(familiar, reference.ToString());
    }

    [Fact]
    public void Digest_and_tag_may_stand_together()
    {
        var reference = Rules.Parse($"team/app:v1@{Hash}");
        Assert.Equal(("v1", Digest.Parse(Hash)), (reference.Tag, reference.Digest));
        Assert.Equal($"team/app:v1@{Hash}", reference.ToString());
        Assert.Equal("latest", Rules.Parse("app").WithDefaultTag().Tag);
        Assert.Null(Rules.Parse($"app@{Hash}").WithDefaultTag().Tag);
    }

    [Theory]
    [InlineData("")]
    [InlineData(":tag")]
    [InlineData("app:")]
    [InlineData("app@")]
    [InlineData("app@sha256:abc")]
    [InlineData("app@md5:d41d8cd98f00b204e9800998ecf8427e")]
    [InlineData("App")]
    [InlineData("team/App")]
    [InlineData("-app")]
    [InlineData("app-")]
    [InlineData("a___b")]
    [InlineData("a..b")]
    [InlineData("a._b")]
    [InlineData("/app")]
    [InlineData("app/")]
    [InlineData("a//b")]
    [InlineData("../app")]
    [InlineData("app:.tag")]
    [InlineData("app:-tag")]
    [InlineData("app:ta/g:")]
    [InlineData("app tag")]
    [InlineData("app\n")]
    [InlineData("app\0")]
    [InlineData("-host.example/app")]
    [InlineData("host..example/app")]
    [InlineData("host.example:port/app")]
    [InlineData("[::1/app")]
    [InlineData("[fe80::1%eth0]/app")]
    [InlineData("é.example/app")]
    [InlineData("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    public void What_is_no_name_is_refused_with_a_reason(string text)
    {
        var refusal = Assert.Throws<FormatException>(() => Rules.Parse(text));
        Assert.StartsWith("invalid reference format", refusal.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refusal.Message);
    }

    [Fact]
    public void Limits_are_those_of_the_grammar()
    {
        Assert.Equal(255, Rules.Parse($"host.example/{new string('a', 242)}").Name.Length);
        Assert.Throws<FormatException>(() => Rules.Parse($"host.example/{new string('a', 243)}"));
        Assert.Equal(128, Rules.Parse($"a:{new string('t', 128)}").Tag!.Length);
        Assert.Throws<FormatException>(() => Rules.Parse($"a:{new string('t', 129)}"));
        Assert.InRange(Assert.Throws<FormatException>(() => Rules.Parse(new string('a', 1_000_000))).Message.Length, 1, 300);
    }

    [Fact]
    public void Whatever_is_read_reads_the_same_when_written()
    {
        Gen.String[Gen.Char["abAB01./:@-_[] \0é"], 0, 40].Sample(
            text =>
            {
                if (Rules.TryParse(text, out var reference))
                {
                    Assert.Equal(reference, Rules.Parse(reference!.ToString()));
                }
            },
            iter: 200_000);
    }
}
