using System.Text;
using CsCheck;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Resources;

namespace Godwit.ApiServer.Tests;

/// <summary>Whatever bytes come from the network, each parser answers with a value or a refusal of the client, never with a fault of its own.</summary>
public sealed class HostileParserTests
{
    private static readonly Gen<byte[]> Bodies = Gen.OneOf(
        Gen.Byte.Array[0, 60],
        Gen.String[Gen.Char["{}[]\":,\\ue+-.0189truefalsnl \n\t\u0000ü"], 0, 40].Select(Encoding.UTF8.GetBytes),
        Gen.String[Gen.Char["-:?[]{},#&*!|>'\"%@` \n\t~abc01"], 0, 60].Select(Encoding.UTF8.GetBytes));

    [Fact]
    public void Any_bytes_are_JSON_or_a_bad_request() => Bodies.Sample(bytes => IsValueOrRefusal(400, () => JsonBody.Parse(bytes)));

    [Fact]
    public void Any_bytes_are_YAML_or_a_bad_request() => Bodies.Sample(bytes => IsValueOrRefusal(400, () => YamlBody.Parse(bytes)));

    /// <summary>What the library throws for this one is no YAML exception.</summary>
    [Fact]
    public void A_body_at_which_the_library_stumbles_is_a_bad_request() =>
        Bodies.Sample(bytes => IsValueOrRefusal(400, () => YamlBody.Parse(bytes)), seed: "355DJ4jG7Jb1", iter: 1);

    [Fact]
    public void Any_bytes_are_a_configuration_to_apply_or_a_bad_request() =>
        Bodies.Sample(bytes => IsValueOrRefusal(400, () => JsonBody.TryParse(bytes) ?? YamlBody.Parse(bytes)));

    [Fact]
    public void JSON_is_read_as_YAML_to_the_same_value() =>
        Gen.String[Gen.Char["abc \"\\/\n\tü:#-{[&*!|>%@`'"], 0, 20].Sample(text =>
        {
            var json = Encoding.UTF8.GetBytes($$"""{"k":{{System.Text.Json.JsonSerializer.Serialize(text, StringContext.Default.String)}},"n":[1,-2.5,true,null]}""");
            Assert.Equal(JsonBody.Parse(json).Value.ToJsonString(), YamlBody.Parse(json).Value.ToJsonString());
        });

    [Fact]
    public void Any_text_is_a_continue_token_or_a_bad_request() =>
        Gen.OneOf(
            Gen.String[0, 40],
            Gen.String[Gen.Char["2 0-+/core.configmaps"], 0, 40].Select(text => Convert.ToBase64String(Encoding.UTF8.GetBytes(text)).TrimEnd('=')),
            Gen.Long.Select(number => Convert.ToBase64String(Encoding.UTF8.GetBytes($"2 {number} {number} core/configmaps/a")).TrimEnd('=')))
            .Sample(text => IsValueOrRefusal(400, () => ContinueToken.Parse(text, "core/configmaps/")));

    [Fact]
    public void A_token_never_leads_out_of_its_list() =>
        Among("core/secrets/x", "core/configmap", "", "core/configmaps", "../core/configmaps/x").Sample(key =>
            Assert.Equal(400, Assert.Throws<StatusException>(() => { ContinueToken.Parse(new ContinueToken(7, key).ToString(), "core/configmaps/"); }).Code));

    [Fact]
    public void Any_request_line_is_understood_or_refused() =>
        Gen.Select(Among("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "BREW", ""), Gen.String[Gen.Char["/api.svn%2e0F?=&1\\~ü\u0000"], 0, 60], Gen.Bool)
            .Sample((method, target, watching) =>
            {
                IsValueOrRefusal(400, () => RequestInfo.Parse(method, "/" + target, watching), orCode: 404);
                IsValueOrRefusal(400, () => RequestInfo.Parse(method, "/api/v1/namespaces/" + target, watching), orCode: 404);
            });

    [Fact]
    public void No_understood_request_names_a_place_outside_its_kind() =>
        Gen.String[Gen.Char["/.%2eFf5c\\ab"], 0, 30].Sample(text =>
        {
            try
            {
                var info = RequestInfo.Parse("GET", "/api/v1/namespaces/default/configmaps/" + text, watching: false);
                Assert.All([info.Name, info.Namespace, info.Resource], part => Assert.False(part is "." or ".." || part.Contains('/', StringComparison.Ordinal) || part.Contains('\\', StringComparison.Ordinal), part));
            }
            catch (StatusException)
            {
                // Refused: as good.
            }
        });

    [Fact]
    public void Any_Accept_header_is_served_or_refused() =>
        Gen.OneOf(Gen.String[0, 40], Among("application/json", "as=Table", "v=v1", "g=meta.k8s.io", "*/*", "q=0", "text/html", "application/yaml", "").List[0, 6].Select(parts => string.Join(';', parts)))
            .Sample(header => IsValueOrRefusal(406, () => Negotiation.Choose(header)));

    [Fact]
    public void A_user_may_have_so_many_streams_and_no_more_and_others_are_not_touched()
    {
        var limit = new InFlightLimit();
        var taken = Enumerable.Range(0, InFlightLimit.StreamsMax).Select(_ => limit.Enter("wild", streams: true)).ToList();

        Assert.Equal(429, Assert.Throws<StatusException>(() => limit.Enter("wild", streams: true)).Code);
        limit.Enter("wild", streams: false).Dispose();
        limit.Enter("calm", streams: true).Dispose();
        taken[0].Dispose();
        limit.Enter("wild", streams: true).Dispose();
    }

    [Fact]
    public void Users_who_have_nothing_under_way_are_not_remembered_however_many_names_were_used()
    {
        var limit = new InFlightLimit();
        for (var number = 0; number < 1000; number++)
        {
            var entered = limit.Enter($"name-{number}", streams: false);
            entered.Dispose();
            entered.Dispose(); // Once more counts for nothing.
        }

        Assert.Equal(0, limit.UserCount);
    }

    private static Gen<string> Among(params string[] values) => Gen.Int[0, values.Length - 1].Select(index => values[index]);

    private static void IsValueOrRefusal<T>(int code, Func<T> parse, int orCode = 0)
    {
        try
        {
            _ = parse();
        }
        catch (StatusException error)
        {
            Assert.True(error.Code == code || error.Code == orCode, $"{error.Code}: {error.Message}");
        }
    }
}

[System.Text.Json.Serialization.JsonSerializable(typeof(string))]
internal sealed partial class StringContext : System.Text.Json.Serialization.JsonSerializerContext;
