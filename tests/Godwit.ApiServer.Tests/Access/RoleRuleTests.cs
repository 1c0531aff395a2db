using CsCheck;
using Godwit.Api.Rbac.V1;
using Godwit.ApiServer.Access;
using Godwit.ApiServer.Requests;

namespace Godwit.ApiServer.Tests.Access;

public sealed class RoleRuleTests
{
    private static readonly string[] Verbs = ["get", "list", "create"];
    private static readonly string[] Groups = ["", "apps", "batch"];
    private static readonly string[] Resources = ["pods", "pods/log", "jobs", "jobs/log"];
    private static readonly string[] Names = ["a", "b", ""];
    private static readonly string[] Paths = ["/metrics", "/api", "/api/v1", "/"];

    private static readonly Gen<PolicyRule> Rule = Gen.Select(
        Some(Verbs, "*"), Some(Groups, "*"), Some([.. Resources, "*/log"], "*"), Some(["a", "b"], null), Some([.. Paths, "/api*"], "*"), Gen.Bool,
        (verbs, groups, resources, names, paths, isOfPaths) => isOfPaths
            ? new PolicyRule { Verbs = verbs, NonResourceUrls = paths }
            : new PolicyRule { Verbs = verbs, ApiGroups = groups, Resources = resources, ResourceNames = names });

    [Theory]
    [InlineData("get", "", "pods", "", "web", true)]
    [InlineData("list", "", "pods", "", "web", false)]
    [InlineData("get", "apps", "pods", "", "web", false)]
    [InlineData("get", "", "pods", "log", "web", false)]
    [InlineData("get", "", "pods", "", "other", false)]
    [InlineData("get", "", "pods", "", "", false)]
    [InlineData("update", "", "deployments", "scale", "any", true)]
    [InlineData("update", "", "deployments", "status", "any", false)]
    public void A_rule_is_about_what_it_says_and_nothing_else(string verb, string group, string resource, string subresource, string name, bool expected)
    {
        PolicyRule[] rules =
        [
            new() { Verbs = ["get"], ApiGroups = [""], Resources = ["pods"], ResourceNames = ["web"] },
            new() { Verbs = ["update"], ApiGroups = ["*"], Resources = ["*/scale"] },
        ];
        var info = new RequestInfo { Path = "", IsResource = true, Verb = verb, Group = group, Resource = resource, Subresource = subresource, Name = name };
        Assert.Equal(expected, rules.Any(rule => PolicyRules.Allows(rule, info)));
    }

    [Fact]
    public void What_covers_a_rule_allows_all_that_the_rule_allows() =>
        Gen.Select(Rule.List[0, 5], Rule).Sample((owned, asked) => !PolicyRules.Covers(owned, asked) || Requests().All(info => !PolicyRules.Allows(asked, info) || owned.Any(rule => PolicyRules.Allows(rule, info))), iter: 2000);

    [Fact]
    public void Every_rule_is_covered_by_itself_and_by_everything() =>
        Rule.Sample(rule => PolicyRules.Covers([rule], rule)
            && PolicyRules.Covers([new PolicyRule { Verbs = ["*"], ApiGroups = ["*"], Resources = ["*"] }, new PolicyRule { Verbs = ["*"], NonResourceUrls = ["*"] }], rule));

    private static IEnumerable<RequestInfo> Requests() =>
        (from verb in Verbs
         from path in Paths
         select new RequestInfo { Path = path, Verb = verb })
        .Concat(from verb in Verbs
                from @group in Groups
                from resource in Resources
                from name in Names
                select new RequestInfo { Path = "", IsResource = true, Verb = verb, Group = @group, Resource = resource.Split('/')[0], Subresource = resource.Contains('/', StringComparison.Ordinal) ? "log" : "", Name = name });

    private static Gen<List<string>> Some(string[] words, string? wildcard) =>
        Gen.Int[0, words.Length - 1].Select(index => words[index]).List[wildcard is null ? 0 : 1, 2].Select(Gen.Int[0, 4], (chosen, roll) => roll == 0 && wildcard is not null ? [wildcard] : chosen);
}
